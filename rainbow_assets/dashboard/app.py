"""What Streamlit runs: the two pages and the way between them."""

import streamlit as st

from rainbow_assets.dashboard import health, sales

st.set_page_config(page_title="Rainbow", page_icon="🌈", layout="wide", menu_items={"About": "Rainbow"})
pages = [
    st.Page(sales.page, title="Sales", url_path="sales", default=True),
    st.Page(health.page, title="Health", url_path="health"),
]
page = st.navigation(pages, position="top")
with st.container(horizontal=True, key="phone-nav"):  # where the window is narrow, Streamlit hides its own
    for one in pages:
        st.page_link(one, label=one.title)
page.run()
