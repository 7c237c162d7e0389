"""The page on which staff teach an inlet: paste a sample, pick fields, choose how it is signed,
run the test, and only then use it."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from kit.crypto import CannotDecrypt
from payments import inlet_recipe as recipes
from payments.admin.inlet_fields import SECTIONS, Found, RecipeForm, SampleForm, path_in_words
from payments.admin.payloads import UNMASK, disclose
from payments.inlet_guess import guess, guess_lines
from payments.inlet_posts import tree_of
from payments.inlet_recipe import SETTING, BadRecipe, Recipe
from payments.models import Account, Disclosure, Rejection
from payments.notice_words import reading_in_words, verdict_in_words
from payments.providers import all_providers
from payments.providers.base import Ignored, Inbound, MalformedPayload
from payments.services.accounts import forget_accounts, keys_of
from payments.services.bodies import unseal
from payments.services.tryout import Tried, pasted, try_post

_CREDENTIALS: Final = "authorization"


def inlet_page(request: HttpRequest, account: Account, *, now: datetime) -> dict[str, Any] | None:
    """What the page shows, or None once the recipe was tested and is in use."""
    if request.method != "POST" or request.POST.get("step") == "latest":
        return _first_page(request, account, now)
    sample = SampleForm(request.POST)
    if not sample.is_valid():
        return {"sample": sample}
    found = _found_in(sample.cleaned_data["body"].strip(), sample.shape)
    if request.POST.get("step") == "find":
        return _with_pickers(account, sample, found)
    form = RecipeForm(request.POST, found=found, initial=_kept(account))
    recipe = form.recipe(sample.shape)
    if recipe is None:
        return {"sample": sample, "form": form, "sections": _sections(form)}
    tried = _test(account, recipe, sample, now)
    is_right = tried.is_genuine and isinstance(tried.reading, list)
    if is_right and request.POST.get("step") == "save":
        use_recipe(account, recipe)
        return None
    return {
        "sample": sample,
        "form": form,
        "sections": _sections(form),
        "tried": _in_words(tried),
        "is_right": is_right,
    }


def use_recipe(account: Account, recipe: Recipe) -> None:
    with transaction.atomic():
        locked = Account.objects.select_for_update().get(pk=account.pk)
        locked.settings = {**locked.settings, SETTING: recipe.dump()}
        locked.save(update_fields=["settings"])
    forget_accounts()


def _first_page(request: HttpRequest, account: Account, now: datetime) -> dict[str, Any]:
    latest, may_unmask = _latest_refused(account), request.user.has_perm(UNMASK)
    if latest and may_unmask and request.method == "POST":
        return {"sample": _sample_of(*latest, request=request, now=now)}
    return {
        "sample": SampleForm(),
        "has_latest": latest is not None,
        "may_unmask": may_unmask,
    }


def _sample_of(
    refused: Rejection, inbound: Inbound, *, request: HttpRequest, now: datetime
) -> SampleForm:
    """A refused post, shown unmasked: who takes it is kept."""
    disclose(
        refused,
        account=refused.account,
        subject=Disclosure.Subject.REJECTION,
        reason=_("Set up the fields"),
        by=request.user,
        now=now,
    )
    body = inbound.body.decode("utf-8", "replace")
    return SampleForm(initial={"body": body, "headers": _headers_of(inbound, refused.account)})


def _latest_refused(account: Account) -> tuple[Rejection, Inbound] | None:
    """While nothing is set up, every post is refused."""
    rows = Rejection.objects.filter(account=account, sealed__isnull=False)
    refused = rows.order_by("-received_at").first()
    if refused is None or refused.sealed is None:
        return None
    try:
        return refused, unseal(refused.sealed)
    except CannotDecrypt:
        return None


def _headers_of(inbound: Inbound, account: Account) -> str:
    """Without the other system's credentials, once it is known that something else signs."""
    signed_by = _kept(account).get("signature_header", _CREDENTIALS).strip().lower()
    return "\n".join(
        f"{name}: {value}"
        for name, value in inbound.headers.items()
        if name.lower() != _CREDENTIALS or signed_by == _CREDENTIALS
    )


def _found_in(body: str, shape: str) -> Found:
    tree = tree_of(body.encode(), shape)
    leaves = list(recipes.leaves(tree))[: recipes.MOST_FOUND]
    lists = list(recipes.lists(tree))[:20]
    of_lines: dict[str, str] = {}
    guessed = guess(leaves)
    for pointer, rows in lists:
        guessed |= guess_lines(pointer, rows[0]) if "lines" not in guessed else {}
        for name, value in rows[0].items():
            if not isinstance(value, dict | list):
                of_lines.setdefault(name, f"{name} = {_short(value)}")
    return Found(
        fields=[(pointer, f"{path_in_words(pointer)} = {_short(v)}") for pointer, v in leaves],
        lists=[(pointer, f"{path_in_words(pointer)} ({len(rows)})") for pointer, rows in lists],
        of_lines=list(of_lines.items()),
        guessed=guessed,
    )


def _short(value: Any) -> str:
    text = str(value) if not isinstance(value, bool) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _kept(account: Account) -> dict[str, str]:
    try:
        kept = recipes.load_recipe(account.settings.get(SETTING, ""))
    except BadRecipe:
        return {}
    return {name: value for name, value in json.loads(kept.dump()).items() if name != "version"}


def _with_pickers(account: Account, sample: SampleForm, found: Found) -> dict[str, Any]:
    """The form filled in with what is in use or, the first time, with what names give away."""
    initial = _kept(account) or {**json.loads(Recipe().dump()), **found.guessed}
    form = RecipeForm(found=found, initial=initial)
    return {"sample": sample, "form": form, "sections": _sections(form), "is_guessed": True}


def _sections(form: RecipeForm) -> list[tuple[str, list[Any]]]:
    return [(str(title), [form[name] for name in names]) for title, names in SECTIONS]


def _test(account: Account, recipe: Recipe, sample: SampleForm, now: datetime) -> Tried:
    keys = keys_of(account)
    keys = replace(keys, settings={**keys.settings, SETTING: recipe.dump()})
    given = sample.cleaned_data
    inbound = pasted(given["headers"], given["body"], method="POST", url="/")
    return try_post(all_providers()[account.provider], keys, inbound, now=now)


def _in_words(tried: Tried) -> dict[str, Any]:
    is_read = not isinstance(tried.reading, MalformedPayload | Ignored)
    return {
        "verdict": verdict_in_words(tried),
        "is_genuine": tried.is_genuine,
        "is_read": is_read,
        "reading": reading_in_words(tried),
    }
