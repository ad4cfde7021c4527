"""Plain HTML for the moments when the UI itself cannot speak."""

from html import escape

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title} - Headrace</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ display: grid; place-content: center; min-height: 100vh; margin: 0; padding: 0 24px; box-sizing: border-box }}
h1 {{ font-size: 20px; margin: 0 0 8px }}
p {{ margin: 0 0 16px; max-width: 60ch }}
code {{ font: 14px ui-monospace, monospace; padding: 8px 12px; border: 1px solid #8886; border-radius: 6px }}
</style></head>
<body><main><h1>{title}</h1><p>{text}</p><p><code>{command}</code></p></main></body></html>
"""


def plain_page(title: str, text: str, command: str) -> str:
    """A page with a title, a sentence and the command that helps. All are escaped."""
    return _PAGE.format(title=escape(title), text=escape(text), command=escape(command))
