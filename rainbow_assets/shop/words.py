"""The words that the made-up shop is built of. Nothing but lists: no logic, no rows."""

CATEGORIES: list[dict[str, str | int | list[str]]] = [
    {"name": name, "description": description, "nouns": nouns, "low": low, "high": high}  # prices in whole units
    for name, description, nouns, low, high in (
        ("Phones", "Smartphones and more", ["Smartphone", "Feature Phone", "Foldable"], 1_900_000, 24_000_000),
        ("Tablets", "Tablets and e-readers", ["Tablet", "E-Reader", "Drawing Tablet"], 2_400_000, 18_000_000),
        ("Laptops", "Portable computers", ["Laptop", "Ultrabook", "Workstation"], 7_900_000, 46_000_000),
        ("Audio", "Headphones and speakers", ["Headphones", "Earbuds", "Speaker", "Soundbar"], 190_000, 6_400_000),
        ("Cameras", "Cameras and lenses", ["Camera", "Lens", "Tripod", "Action Camera"], 450_000, 32_000_000),
        ("Television", "Screens for the living room", ["Television", "Projector", "Wall Mount"], 390_000, 28_000_000),
        ("Kitchen", "Cookware and small machines", ["Kettle", "Blender", "Rice Cooker", "Pan"], 140_000, 4_200_000),
        ("Home", "For the rooms of the house", ["Lamp", "Curtain", "Rug", "Mirror", "Vase"], 60_000, 2_600_000),
        ("Furniture", "Tables, chairs and shelves", ["Chair", "Desk", "Shelf", "Sofa"], 490_000, 14_000_000),
        ("Garden", "For the balcony and the garden", ["Planter", "Hose", "Parasol", "Trowel"], 45_000, 1_900_000),
        ("Tools", "Hand tools and power tools", ["Drill", "Wrench Set", "Saw", "Ladder"], 90_000, 3_800_000),
        ("Books", "Printed books", ["Novel", "Cookbook", "Atlas", "Anthology"], 45_000, 620_000),
        ("Stationery", "Paper and pens", ["Notebook", "Fountain Pen", "Planner", "Marker Set"], 20_000, 480_000),
        ("Toys", "Toys and board games", ["Puzzle", "Board Game", "Building Set", "Plush"], 55_000, 1_400_000),
        ("Baby", "For the first years", ["Stroller", "Bottle Set", "Crib", "Blanket"], 80_000, 5_200_000),
        ("Women's Fashion", "Clothes for women", ["Dress", "Blouse", "Skirt", "Coat"], 120_000, 2_900_000),
        ("Men's Fashion", "Clothes for men", ["Shirt", "Trousers", "Jacket", "Polo"], 120_000, 2_700_000),
        ("Shoes", "Shoes and boots", ["Sneakers", "Sandals", "Boots", "Loafers"], 180_000, 3_600_000),
        ("Bags", "Bags and suitcases", ["Backpack", "Handbag", "Suitcase", "Wallet"], 110_000, 4_800_000),
        ("Watches", "Watches and jewellery", ["Watch", "Bracelet", "Ring", "Necklace"], 240_000, 19_000_000),
        ("Beauty", "Skin care and make-up", ["Serum", "Lipstick", "Sunscreen", "Perfume"], 65_000, 2_400_000),
        ("Health", "Health and wellness", ["Vitamins", "Massager", "Thermometer", "Scale"], 50_000, 2_200_000),
        ("Sports", "Sports and outdoors", ["Yoga Mat", "Dumbbells", "Tent", "Racket"], 85_000, 7_500_000),
        ("Groceries", "Food that keeps", ["Coffee", "Green Tea", "Olive Oil", "Honey"], 25_000, 540_000),
    )
]  # fmt: skip

BRANDS = [
    "Aurelia", "Basalt", "Calyx", "Corvid", "Dovetail", "Ember & Co", "Fathom", "Fjordlight", "Gingko", "Halcyon",
    "Hearth", "Indigo Works", "Juniper", "Kestrel", "Kinto", "Lumo", "Marigold", "Meridian", "Nimbus", "Norrland",
    "Oakline", "Orchid Lab", "Pebble", "Piper & Sons", "Quill", "Quince", "Riverstone", "Saffron", "Solstice",
    "Tamarind", "Terra Nova", "Umbra Nine", "Vela", "Verdant", "Willow", "Xylo", "Yarrow", "Zephyr", "Zenit", "Atlas",
]  # fmt: skip

ADJECTIVES = [
    "Compact", "Classic", "Premium", "Everyday", "Ultra", "Slim", "Foldable", "Travel", "Wireless", "Bamboo", "Eco",
    "Deluxe", "Mini", "Studio", "Urban", "Vintage", "Nordic", "Soft", "Bright", "Quiet", "Modern", "Essential",
    "Original", "Handmade", "Lightweight",
]  # fmt: skip

FIRST_NAMES = [
    "An", "Bao", "Chi", "Dung", "Giang", "Ha", "Hieu", "Hoa", "Hung", "Huong", "Khanh", "Lan", "Linh", "Long", "Mai",
    "Minh", "Nam", "Nga", "Ngoc", "Phuong", "Quang", "Son", "Thao", "Trang", "Tuan", "Vy", "Alice", "Amara", "Ben",
    "Carla", "David", "Elena", "Fatima", "Hugo", "Ines", "Jonas", "Kofi", "Lucia", "Marta", "Noah", "Olga", "Priya",
    "Ravi", "Sofia", "Tomas", "Yuki",
]  # fmt: skip

LAST_NAMES = [
    "Nguyen", "Tran", "Le", "Pham", "Hoang", "Phan", "Vu", "Dang", "Bui", "Do", "Ho", "Ngo", "Duong", "Ly", "Truong",
    "Dinh", "Lam", "Mai", "Adeyemi", "Andersen", "Becker", "Costa", "Dubois", "Fischer", "Garcia", "Haddad", "Ivanova",
    "Jensen", "Kowalski", "Lopez", "Moreau", "Novak", "O'Brien", "Patel", "Rossi", "Sato", "Silva", "Tanaka", "Weber",
    "Yilmaz",
]  # fmt: skip

PAYMENTS = [
    {"name": "Cash on delivery", "type": "cash"},
    {"name": "Visa", "type": "card"},
    {"name": "Mastercard", "type": "card"},
    {"name": "MoMo", "type": "e-wallet"},
    {"name": "ZaloPay", "type": "e-wallet"},
    {"name": "Bank transfer", "type": "bank"},
]

SELLER_KINDS = ["Store", "Official Shop", "Trading", "Market", "House", "Outlet", "Direct", "Corner"]

CAMPAIGNS = ["Flash Sale", "Payday Deal", "Weekend Voucher", "Clearance", "Member Days", "Season Opening"]
