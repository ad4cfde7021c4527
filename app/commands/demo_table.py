"""The demo's figures as tables for people."""

from typing import Any

from app.commands.output import console, plain, table


def show(figures: dict[str, Any]) -> None:
    """Print what happened to the documents, what was learnt, how well, and where it all lies."""
    screen = console()
    for section in (_documents(figures), _languages(figures), _model(figures)):
        screen.print(section)
    screen.print(f"Released model  {figures['release']['folder']}", markup=False, soft_wrap=True)
    for name, url in figures["urls"].items():
        screen.print(f"{name:<15} {url}", markup=False, soft_wrap=True)


def _documents(figures: dict[str, Any]) -> Any:
    documents = figures["documents"]
    rows = table("rule", "#documents", title="Documents")
    rows.add_row("read", f"{documents['read']:,}")
    if documents["unreadable"]:
        rows.add_row("unreadable", f"{documents['unreadable']:,}")
    for rule, count in sorted(documents["dropped_by_rule"].items(), key=lambda item: -item[1]):
        if count:
            rows.add_row(f"dropped by {plain(rule)}", f"{count:,}")
    rows.add_row("[bold]kept[/bold]", f"[bold]{documents['kept']:,}[/bold]")
    return rows


def _languages(figures: dict[str, Any]) -> Any:
    rows = table("language", "#documents", "#tokens", "#bits per byte", "#95 % interval", title="Languages")
    for language, tokens in sorted(figures["tokens"].items(), key=lambda item: -item[1]):
        score = figures["bits_per_byte"].get(language)
        value = f"{score['value']:.3f}" if score else ""
        interval = f"{score['low']:.3f} to {score['high']:.3f}" if score else ""
        kept = figures["documents"]["kept_by_language"].get(language, 0)
        rows.add_row(plain(language), f"{kept:,}", f"{tokens:,}", value, interval)
    return rows


def _model(figures: dict[str, Any]) -> Any:
    loss = figures["loss"]
    rows = table("figure", "#value", title="Model")
    if figures["num_parameters"]:
        rows.add_row("parameters", f"{figures['num_parameters']:,}")
    rows.add_row("loss, first step (nats per token)", f"{loss['first']:.3f}")
    rows.add_row("loss, last step", f"{loss['last']:.3f}")
    rows.add_row("held-out loss", f"[bold]{loss['heldout']:.3f}[/bold]")
    rows.add_row("  unigram model of the same tokens", f"{loss['unigram']:.3f}")
    rows.add_row("  bigram model of the same tokens", f"{loss['bigram']:.3f}")
    rows.add_row("  below the unigram model", f"{1 - loss['heldout'] / loss['unigram']:.1%}")
    rows.add_row("interventions", str(figures["interventions"]))
    for score in figures["benchmarks"]:
        chance = f", chance {score['chance']:.2f}" if score["chance"] is not None else ""
        interval = f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f}{chance})"
        rows.add_row(f"{plain(score['task'])}, {score['num_items']} items", interval)
    rows.add_row("seconds", f"{figures['seconds']:.0f}")
    return rows
