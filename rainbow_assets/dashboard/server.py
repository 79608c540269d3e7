"""What Streamlit serves: the pages of `app.py`, behind the guard; only under its own names, only to its own pages."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from rainbow_assets.guard import Guard
from rainbow_assets.settings import Settings

app = st.App(Path(__file__).with_name("app.py"), middleware=[Middleware(Guard, hosts=Settings.load().host_names)])
