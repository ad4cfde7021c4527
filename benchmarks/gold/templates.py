"""Page templates: ordinary kinds of web page around a text."""

import random
from collections.abc import Callable, Iterator
from html import escape

from gold.writer import Page, Writer


def _menu(w: Writer) -> list[str]:
    return list(w.labels.menu)


def _cookies(w: Writer) -> str:
    buttons = "".join(f"<button>{escape(b)}</button>" for b in w.labels.consent)
    return f'<div id="cookie-banner" class="cookie-consent"><p>{escape(w.labels.cookies)}</p>{buttons}</div>'


def _footer(w: Writer) -> str:
    return f"<ul>{w.links(_menu(w)[5:])}</ul><p>© 2024 {w.name()}. {escape(w.labels.rights)}</p>"


def _head(title: str) -> str:
    style = "<style>body{margin:0}.x{color:red}</style><script>var a = {b: 1};</script>"
    return f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{title}</title>{style}</head>'


def _biography(w: Writer) -> str:
    """A box about who wrote it: prose, but not of the text."""
    return f"<div class='author-bio'><img src='a.jpg' alt=''><h4>{w.name()}</h4><p>{escape(w.paragraph())}</p></div>"


def _views(w: Writer) -> str:
    views, comments = w.random.randint(100, 9999), w.random.randint(1, 99)
    return f"<div class='stats'>{views} · {comments} {escape(w.labels.comments)}</div>"


def article(w: Writer) -> str:
    """HTML5 elements named as they should be."""
    title = w.title()
    return (
        f"{_head(title)}<body><header><nav><ul>{w.links(_menu(w))}</ul></nav></header><main><article><h1>{title}</h1>"
        f"<p class='byline'>{escape(w.labels.by)} {w.name()}, {w.date()}</p>{''.join(w.prose())}"
        f"{_views(w)}</article>{_biography(w)}</main>"
        f"<aside><h3>{escape(w.labels.related)}</h3><ul>{w.links([w.teaser() for _ in range(5)])}</ul></aside>"
        f"<footer>{_footer(w)}</footer></body></html>"
    )


def blog(w: Writer) -> str:
    """Only <div> with classes; a sidebar of widgets, readers' comments below."""
    title = w.title()
    body = "".join(w.prose())
    comments = "".join(
        f"<div class='comment'><span class='author'>{w.name()}</span><span class='date'>{w.date()}</span>"
        f"<p>{escape(w.paragraph())}</p><a href='#'>{escape(w.labels.reply)}</a></div>"
        for _ in range(w.random.randint(0, 4))
    )
    widgets = "".join(
        f"<div class='widget'><h3>{escape(head)}</h3><ul>{w.links([w.teaser(5) for _ in range(6)])}</ul></div>"
        for head in (w.labels.most_read, w.labels.tags)
    )
    return (
        f"{_head(title)}<body><div id='header'><div class='menu'><ul>{w.links(_menu(w))}</ul></div></div>"
        f"<div id='content'><div class='post'><h1 class='entry-title'>{title}</h1><div class='post-meta'>"
        f"{w.date()} | "
        f"{w.name()}</div><div class='entry-content'>{body}</div><div class='share-buttons'>"
        f"{w.links(list(w.labels.share), 'span')}</div></div><div id='comments'><h3>3 {w.labels.comments}</h3>"
        f"{comments}"
        f"</div></div><div id='sidebar'>{widgets}</div><div id='footer'>{_footer(w)}</div></body></html>"
    )


def docs(w: Writer) -> str:
    """A manual: a tree of links at the left, a table of contents, code, links to other chapters."""
    title = w.title()
    blocks = w.prose(5, 12)
    code = w.main("sudo apt install example")
    blocks.insert(len(blocks) // 2, f"<pre><code>{code}</code></pre>")
    tree = w.links([w.teaser(4) for _ in range(w.random.randint(15, 60))])
    contents = w.links([w.teaser(3) for _ in range(5)])
    crumbs = " &gt; ".join(f"<a href='#'>{w.teaser(2)}</a>" for _ in range(3))
    return (
        f"{_head(title)}<body><div class='wy-nav-side'><div class='search'><input placeholder='"
        f"{escape(w.labels.menu[-1])}'></div><ul class='toctree'>{tree}</ul></div><section "
        f"class='wy-nav-content-wrap'>"
        f"<div class='breadcrumbs'>{crumbs}</div><div role='main' class='document'><h1>{title}</h1>"
        f"<div class='toc'><p>{escape(w.labels.contents)}</p><ul>{contents}</ul></div>{''.join(blocks)}</div>"
        f"<div class='rst-footer-buttons'><a href='#'>{escape(w.labels.previous)}</a> <a href='#'>"
        f"{escape(w.labels.next)}</a></div><footer>{_footer(w)}</footer></section></body></html>"
    )


def forum(w: Writer) -> str:
    """A thread: the posts are the text; names, ranks, signatures are not."""
    title = w.title()
    posts = "".join(
        f"<div class='post' id='p{i}'><div class='post-author'><a href='/u'>{w.name()}</a><br>"
        f"{escape(w.labels.joined)} "
        f"{w.date()}</div><div class='post-date'>{w.date()}, 12:0{i % 10}</div><div class='post-body'>"
        f"{''.join(f'<p>{w.main(w.paragraph())}</p>' for _ in range(w.random.randint(1, 3)))}</div>"
        f"<div class='post-buttons'><a href='#'>{escape(w.labels.reply)}</a></div></div>"
        for i in range(w.random.randint(3, 8))
    )
    return (
        f"{_head(title)}<body><div class='navbar'>{w.links(_menu(w), 'span')}</div><div class='page-body'><h2>"
        f"{title}</h2>"
        f"<div class='pagination'><a href='#'>1</a> <a href='#'>2</a> <a href='#'>{escape(w.labels.next)}</a>"
        f"</div>{posts}"
        f"</div><div class='footer'>{_footer(w)}</div></body></html>"
    )


def news(w: Writer) -> str:
    """A newspaper: related links between paragraphs, teasers, a newsletter box, a cookie banner first."""
    title = w.title()
    blocks = w.prose(5, 12)
    box = (
        f"<div class='newsletter-box'><p>{escape(w.labels.newsletter)}</p><form><input><button>OK</button></form></div>"
    )
    inline = (
        f"<div class='related-inline'><strong>{escape(w.labels.related)}</strong><ul>"
        f"{w.links([w.teaser() for _ in range(3)])}</ul></div>"
    )
    blocks.insert(len(blocks) // 3, inline)
    blocks.insert(2 * len(blocks) // 3, box)
    teasers = "".join(
        f"<div class='teaser'><a href='/{i}'><h3>{w.teaser()}</h3></a><p>{w.teaser(30)}... <a href='/{i}'>"
        f"{escape(w.labels.read_more)}</a></p></div>"
        for i in range(w.random.randint(3, 8))
    )
    return (
        f"{_head(title)}<body>{_cookies(w)}<header class='site-header'><nav class='main-nav'><ul>"
        f"{w.links(_menu(w))}</ul>"
        f"</nav></header><div class='container'><div class='article'><h1>{title}</h1><div class='author-line'>"
        f"{escape(w.labels.by)} {w.name()} · {w.date()}</div><div class='social'>"
        f"{w.links(list(w.labels.share), 'a')}</div>"
        f"<div class='article-body'>{''.join(blocks)}</div>{_biography(w)}</div><div class='more-news'><h2>"
        f"{escape(w.labels.most_read)}"
        f"</h2>{teasers}</div></div><footer class='site-footer'>{_footer(w)}</footer></body></html>"
    )


def tables(w: Writer) -> str:
    """A page of the nineties: tables for layout, <font>, <br> between paragraphs, no classes."""
    title = w.title()
    menu = "<br>".join(f"<a href='{i}.htm'>{escape(t)}</a>" for i, t in enumerate(_menu(w)))
    text = "<br><br>".join(w.main(w.paragraph()) for _ in range(w.random.randint(4, 10)))
    return (
        f"<html><head><title>{title}</title></head><body bgcolor=white><table width=100%><tr><td colspan=2 "
        f"align=center>"
        f"<img src=logo.gif></td></tr><tr><td width=150 valign=top><font size=2>{menu}</font></td><td valign=top>"
        f"<font size=5><b>{title}</b></font><br><br><font face=arial>{text}</font></td></tr><tr><td colspan=2 "
        f"align=center>"
        f"<font size=1>© 2001 {w.name()}. {escape(w.labels.rights)}</font></td></tr></table></body></html>"
    )


def bare(w: Writer) -> str:
    """Nothing but the text and a line of links."""
    title = w.title()
    up = f"<p><a href='..'>{escape(w.labels.menu[0])}</a> | <a href='n'>{escape(w.labels.next)}</a></p>"
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{''.join(w.prose())}<hr>{up}</body></html>"


def modern(w: Writer) -> str:
    """What a framework renders: nested <div>, hashed class names, roles, a consent dialogue at the end."""
    title = w.title()
    menu = "".join(
        f"<div class='css-k1'><a class='css-l' href='/{i}'>{escape(t)}</a></div>" for i, t in enumerate(_menu(w))
    )
    blocks = "".join(f"<div class='css-p8'><div>{block}</div></div>" for block in w.prose())
    cards = "".join(
        f"<div class='css-c3'><a href='/{i}'><div><span>{w.teaser()}</span></div></a><div>{w.teaser(24)}…</div></div>"
        for i in range(w.random.randint(2, 6))
    )
    return (
        f"{_head(title)}<body><div id='__next'><div class='css-a1'><div role='navigation'>{menu}</div></div>"
        f"<div class='css-m2'><div role='main'><div class='css-t5'><h1>{title}</h1></div><div class='css-b7'>"
        f"{w.name()} · "
        f"{w.date()}</div>{blocks}</div><div class='css-r9'><div>{escape(w.labels.related)}</div>{cards}</div></div>"
        f"<div role='contentinfo'>{_footer(w)}</div></div><div role='dialog' aria-label='cookies'>{_cookies(w)}</div>"
        f"</body></html>"
    )


def wiki(w: Writer) -> str:
    """An encyclopedia: edit links at the headings, contents, categories, other languages."""
    title = w.title()
    edit = f"<span class='mw-editsection'>[<a href='#'>{escape(w.labels.consent[-1])}</a>]</span>"
    blocks = [block.replace("</h2>", f"{edit}</h2>") for block in w.prose(6, 14)]
    contents = w.links([f"{i} {w.teaser(3)}" for i in range(1, 7)])
    categories = w.links([w.teaser(2) for _ in range(4)])
    languages = w.links(["Deutsch", "English", "Español", "Français", "Italiano", "Português"])
    return (
        f"{_head(title)}<body><div id='mw-panel'><ul>{w.links(_menu(w))}</ul><ul>{languages}</ul></div>"
        f"<div id='content'><h1 id='firstHeading'>{title}</h1><div id='mw-content-text'>"
        f"<div id='toc' class='toc'><h2>{escape(w.labels.contents)}</h2><ul>{contents}</ul></div>"
        f"{''.join(blocks)}</div><div id='catlinks'><ul>{categories}</ul></div></div>"
        f"<div id='footer'>{_footer(w)}</div></body></html>"
    )


TEMPLATES: tuple[Callable[[Writer], str], ...] = (article, blog, docs, forum, news, tables, bare, modern, wiki)


def make_pages(paragraphs: dict[str, list[str]], per_template: int, seed: int = 0) -> Iterator[Page]:
    """`per_template` pages of each template in each language, always the same ones for a seed."""
    for number in range(per_template):
        for language, texts in paragraphs.items():
            for template in TEMPLATES:
                draws = random.Random(f"{seed} {number} {language} {template.__name__}")
                writer = Writer(language, texts, draws)
                html = template(writer)
                yield Page(template.__name__, language, html, writer.gold)
