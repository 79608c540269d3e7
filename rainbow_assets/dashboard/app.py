"""What Streamlit runs: the two pages and the way between them."""

import streamlit as st

from rainbow_assets.dashboard import health, sales

st.set_page_config(page_title="Rainbow", page_icon="🌈", layout="wide", menu_items={"About": "Rainbow"})
st.navigation(
    [
        st.Page(sales.page, title="Sales", url_path="sales", default=True),
        st.Page(health.page, title="Health", url_path="health"),
    ],
    position="top",
).run()
