"""The rule book over HTTP: what a rule code in a refusal means. Public documentation; no case data."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from audit.rule_book import rule_book
from gateway.http.problems import ProblemError, rule_url

router = APIRouter(tags=["reference"])


@router.get("/rules")
async def list_rules() -> JSONResponse:
    """List every rule with its code, its title and its address."""
    rules = sorted(rule_book().rules.values(), key=lambda rule: rule.code)
    return JSONResponse(
        {"rules": [{"code": rule.code, "title": rule.title, "rule_url": rule_url(rule.code)} for rule in rules]}
    )


@router.get("/rules/{code}")
async def read_rule(code: str) -> JSONResponse:
    """Show the rule behind a code, with its page in the documentation."""
    rule = rule_book().find(code.upper())
    if rule is None:
        raise ProblemError("not-found", f"there is no rule {code[:64]!r}; /rules lists all rules")
    return JSONResponse(rule.json())
