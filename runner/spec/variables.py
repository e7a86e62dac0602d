"""`vars:` — names for the templates: values as written, or taken from the environment, which is an argument."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from runner.records import Json
from runner.spec.gather import Gathered
from runner.spec.near import did_you_mean
from runner.spec.secrets import find_credentials

_SECRET_NAME: Final = re.compile(r"(TOKEN|SECRETS?|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|KEY)$", re.IGNORECASE)


def read_variables(
    written: Mapping[str, Json], given: Collection[str], env: Mapping[str, str], gathered: Gathered
) -> dict[str, Json]:
    """The value of every declared name; `given` ones come from `--var`, so their `{env: …}` need not be set."""
    values: dict[str, Json] = {}
    for name, value in written.items():
        if isinstance(value, Mapping) and set(value) == {"env"}:
            values[name] = _from_environment(name, value["env"], name in given, env, gathered)
        else:
            values[name] = value
    return values


def _from_environment(name: str, variable: str, given: bool, env: Mapping[str, str], gathered: Gathered) -> str | None:
    path = ("vars", name, "env")
    if _SECRET_NAME.search(variable):
        what = f"`{variable}` has the name of a credential; what templates see is sent to the API and stored"
        gathered.add("env-credential", what, path, next="name a variable that holds no secret")
    elif variable not in env:
        if not given:
            step = did_you_mean(variable, env, otherwise=f"set it, or pass --var {name}=…")
            gathered.add("env-missing", f"the environment has no `{variable}`", path, next=step)
    elif any(find_credentials(env[variable])):
        what = f"the value of `{variable}` looks like a credential; what templates see is sent to the API and stored"
        gathered.add("env-credential", what, path, next="name a variable that holds no secret")
    else:
        return env[variable]
    return None
