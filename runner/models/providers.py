"""Where Claude can be asked: the providers, their settings, and what each lacks. A table; asks nobody.

Checked 2026-11-22 against SDK 2.12.0 (`lib/bedrock`, `lib/vertex`, `lib/foundry.py`, `lib/aws`, `lib/google_cloud`)
and the lists "Features not supported" of https://platform.claude.com/docs/en/build-with-claude/claude-in-amazon-bedrock,
…/claude-on-vertex-ai and …/claude-in-microsoft-foundry; fast mode: …/fast-mode; regions:
https://platform.claude.com/docs/en/manage-claude/data-residency. That only Anthropic's own API takes `fallbacks` is
certain for Bedrock, Vertex and Foundry, and assumed of the other two until shown otherwise.

What is not known to be missing is not in the table. Structured outputs are not: Bedrock has them with InvokeModel,
which the SDK's client uses. Nor is what Foundry lacks only where a deployment is hosted on Azure: no spec says that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

ANTHROPIC: Final = "anthropic"


@dataclass(frozen=True)
class Provider:
    """One provider. host: the domain its own endpoints lie under. base_url_variable: redirects it from outside.

    settings: keys of `client` that are its own, spelt as the SDK does. extra: of promptrun, what its login needs;
    modules: what that extra installs. bytes_go: whether the SDK sends a body that is bytes already.
    binary_streams: whether it streams AWS's frames instead of events. lacks: feature → what to do instead;
    no_tools: how the types of tools begin that it does not have. no_endpoints: which of `batches`, `count_tokens` and
    `models` it does not have, or the SDK does not ask it for. max_body: the most bytes of a request.
    """

    name: str
    title: str
    sdk_class: str
    host: str
    base_url_variable: str
    settings: tuple[str, ...] = ()
    extra: str = ""
    modules: tuple[str, ...] = ()
    bytes_go: bool = True
    binary_streams: bool = False
    lacks: Mapping[str, str] = field(default_factory=dict)
    no_tools: tuple[str, ...] = ()
    no_endpoints: frozenset[str] = frozenset()
    max_body: int = 32 * 2**20


_NO_DEFAULT: Final = {"fallbacks_default": "name the models: `fallbacks: [claude-opus-4-8]`"}
_NO_FILES: Final = {
    "upload": "remove `upload: true`: the file is then sent inside each request",
    "file_id": "write `path: …` or `url: …`",
}
_NO_URLS: Final = {"url": "save the file in the project and write `path: …`"}
_NO_AGENTS: Final = {
    "mcp_servers": "call the server yourself and put its answer into the row, or ask the Claude API",
    "container": "ask the Claude API, Claude Platform on AWS or Claude on Google Cloud",
}
_NO_SPEED: Final = {"speed": "remove it: fast mode is the Claude API's own"}
_NO_REGION: Final = {"inference_geo": "remove it: the provider's own region or deployment decides where the model runs"}
_NO_SERVER_TOOLS: Final = ("code_execution_", "web_fetch_", "advisor_")
_NO_TOOLSETS: Final = ("computer_toolset_", "browser_toolset_")
_AWS: Final = ("boto3", "botocore")
_GOOGLE: Final = ("google.auth", "requests")

_ALL: Final = (
    Provider(ANTHROPIC, "the Claude API", "AsyncAnthropic", "api.anthropic.com", "ANTHROPIC_BASE_URL"),
    Provider(
        name="bedrock",
        title="Amazon Bedrock",
        sdk_class="AsyncAnthropicBedrock",
        host="amazonaws.com",
        base_url_variable="ANTHROPIC_BEDROCK_BASE_URL",
        settings=("aws_region", "aws_profile"),
        extra="bedrock",
        modules=_AWS,
        bytes_go=False,
        binary_streams=True,
        lacks={
            **_NO_DEFAULT,
            **_NO_FILES,
            **_NO_URLS,
            **_NO_AGENTS,
            **_NO_SPEED,
            **_NO_REGION,
            "cache_automatic": "write `cache: shared`, or mark the place yourself with `cache: true`",
        },
        no_tools=(*_NO_SERVER_TOOLS, "web_search_", *_NO_TOOLSETS),
        max_body=20 * 2**20,
        no_endpoints=frozenset({"batches", "count_tokens", "models"}),
    ),
    Provider(
        name="vertex",
        title="Vertex AI",
        sdk_class="AsyncAnthropicVertex",
        host="googleapis.com",
        base_url_variable="ANTHROPIC_VERTEX_BASE_URL",
        settings=("region", "project_id"),
        extra="vertex",
        modules=_GOOGLE,
        bytes_go=False,
        lacks={**_NO_DEFAULT, **_NO_FILES, **_NO_URLS, **_NO_AGENTS, **_NO_SPEED, **_NO_REGION},
        no_tools=_NO_SERVER_TOOLS,
        max_body=30 * 2**20,
        no_endpoints=frozenset({"batches", "count_tokens", "models"}),
    ),
    Provider(
        name="foundry",
        title="Microsoft Foundry",
        sdk_class="AsyncAnthropicFoundry",
        host="services.ai.azure.com",
        base_url_variable="ANTHROPIC_FOUNDRY_BASE_URL",
        settings=("resource",),
        lacks={**_NO_DEFAULT, **_NO_SPEED, **_NO_REGION},
        no_tools=("advisor_", *_NO_TOOLSETS),
        no_endpoints=frozenset({"batches", "models"}),
    ),
    Provider(
        name="aws",
        title="Claude Platform on AWS",
        sdk_class="AsyncAnthropicAWS",
        host="api.aws",
        base_url_variable="ANTHROPIC_AWS_BASE_URL",
        settings=("aws_region", "aws_profile", "workspace_id"),
        extra="aws",
        modules=_AWS,
        lacks={**_NO_DEFAULT, **_NO_SPEED},
    ),
    Provider(
        name="google-cloud",
        title="Claude on Google Cloud",
        sdk_class="AsyncAnthropicGoogleCloud",
        host="googleapis.com",
        base_url_variable="ANTHROPIC_GOOGLE_CLOUD_BASE_URL",
        settings=("project", "location", "workspace_id"),
        extra="google-cloud",
        modules=_GOOGLE,
        lacks=_NO_DEFAULT,
    ),
)
PROVIDERS: Mapping[str, Provider] = MappingProxyType({provider.name: provider for provider in _ALL})
