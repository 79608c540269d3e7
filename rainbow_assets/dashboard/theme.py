"""The dashboard's look: colours, Streamlit's options, and the few styles of its own elements.

Blue and orange stay apart for every kind of colour blindness, and both have a contrast of 3:1 or more on the light and
on the dark ground; nothing is told by colour alone.
"""

BATCH, LIVE = "#2E7CB8", "#D9780F"
SOFT = "#8FB8D8"  # beside BATCH: what is not picked out
GOOD, BAD = "#2E8B6F", "#C8503C"
LAYERS = ("#2E7CB8", "#D9780F", "#2E8B6F", "#A3679F", "#7A8792", "#B8860B")
RANKS = ("#1F5F94", "#2E7CB8", "#5B9BCB", "#8FB8D8", "#B9D3E7")
MUTED = "#7A8792"

OPTIONS = {
    "theme.primaryColor": BATCH,
    "theme.baseRadius": "8px",
    "theme.showWidgetBorder": "true",
    "theme.light.backgroundColor": "#FBFBFA",
    "theme.light.secondaryBackgroundColor": "#FFFFFF",
    "theme.light.textColor": "#1E2A35",
    "theme.light.borderColor": "#DFE3E6",
    "theme.light.linkColor": "#1F5F94",
    "theme.dark.backgroundColor": "#12171D",
    "theme.dark.secondaryBackgroundColor": "#1A2129",
    "theme.dark.textColor": "#E6EAEE",
    "theme.dark.borderColor": "#323C46",
    "theme.dark.linkColor": "#8FB8D8",
}

STYLE = f"""<style>
.block-container {{max-width: 76rem; padding-top: 4.5rem; padding-bottom: 4rem}}
h1 {{font-size: 1.9rem !important; padding-bottom: .2rem !important}}
h2 {{font-size: 1.2rem !important; padding: .4rem 0 .1rem !important}}
.rb-cards {{display: grid; grid-template-columns: repeat(auto-fit, minmax(15.5rem, 1fr)); gap: .9rem; margin: 0}}
.rb-card {{border: 1px solid color-mix(in srgb, currentColor 15%, transparent); border-radius: 10px;
  padding: .85rem 1rem .8rem !important; background: color-mix(in srgb, currentColor 2.5%, transparent)}}
.rb-card dt {{font-size: .84rem; opacity: .8; font-weight: 400; margin: 0}}
.rb-card dd, .rb-card dt {{margin: 0; padding: 0}}
.rb-card dd.rb-value {{font-size: clamp(1.15rem, 1.9vw, 1.5rem); font-weight: 600; line-height: 1.5;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere}}
.rb-card dd.rb-live {{font-size: .84rem; font-variant-numeric: tabular-nums}}
.rb-live::before {{content: ""; display: inline-block; width: .6em; height: .6em; border-radius: 50%;
  margin-right: .4em; background: {LIVE}}}
.rb-live.rb-off::before {{background: transparent; border: 1px solid {MUTED}}}
.rb-note, .rb-card dd.rb-note {{font-size: .78rem; opacity: .78; line-height: 1.45; margin: .15rem 0 0}}
.rb-parts {{display: block; overflow: hidden}}
.rb-parts > span {{display: block; margin-left: -1em}}
.rb-parts > span > span {{display: inline-block; position: relative; padding-left: 1em}}
.rb-parts > span > span::before {{content: "·"; position: absolute; left: .35em}}
.st-key-phone-nav {{display: none !important}}
@media (max-width: 48rem) {{
  .st-key-phone-nav {{display: flex !important}}
  .block-container {{padding-top: 4rem}}
}}
.rb-good, .rb-bad {{white-space: nowrap}}
.rb-good::before {{content: "✓ "; color: {GOOD}; font-weight: 700}}
.rb-bad::before {{content: "▲ "; color: {BAD}; font-weight: 700}}
.rb-table {{overflow: auto; max-height: 24rem; border-radius: 8px}}
.rb-table table {{border-collapse: collapse; width: 100%; font-size: .84rem; font-variant-numeric: tabular-nums}}
.rb-table th, .rb-table td {{padding: .32rem .7rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent)}}
.rb-table th {{font-weight: 600; white-space: nowrap; opacity: .85}}
.rb-table .rb-number {{text-align: right; white-space: nowrap}}
@media (prefers-reduced-motion: reduce) {{* {{transition: none !important; animation: none !important}}}}
</style>"""
