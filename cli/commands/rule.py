"""Explains the rules of the programme by the codes that refusals and `awda case why` show."""

from __future__ import annotations

import rich_click as click

from audit.rule_book import Rule, rule_book
from cli.options import as_json
from cli.output import CommandError, ExitCode, emit, print_table


@click.command(epilog="Example: `awda rule GATE.HOLD`, or `awda rule` to list all rules.")
@click.argument("code", required=False)
@as_json
def rule(*, code: str | None, as_json: bool) -> None:
    """Explain the rule behind a CODE, or list all rules with their titles."""
    if code is None:
        _list_rules(as_json=as_json)
        return
    book = rule_book()
    found = book.find(code.upper())
    if found is None:
        nearest = ", ".join(book.nearest(code.upper()))
        todo = f"a similar code: {nearest}" if nearest else "awda rule, which lists all codes"
        raise CommandError(ExitCode.NOT_FOUND, f"There is no rule {code!r}.", todo)
    emit(found.json(), as_json=as_json, plain=lambda: _print_rule(found))


def _list_rules(*, as_json: bool) -> None:
    rules = sorted(rule_book().rules.values(), key=lambda each: each.code)
    listed = [{"code": each.code, "title": each.title, "page": each.location} for each in rules]
    rows = [[each.code, each.title] for each in rules]
    emit(listed, as_json=as_json, plain=lambda: print_table(("code", "rule"), rows))


def _print_rule(found: Rule) -> None:
    click.echo(f"{found.code}: {found.title}\n\n{found.text}\n\nPage: {found.location}")
