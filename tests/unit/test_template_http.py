"""Properties of the HTTP API, checked on the template as SAM transforms it; the local cloud supports only some of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bokit.http.routes import page
from tests.support.conditions import settle
from tests.support.transformed import ROOT, as_list, policy_statements, refers_to, resources, source_template, transformed

HTTP = {"Ref": "HttpApi"}
ROUTES = {r["RouteKey"]: r for r in resources("AWS::ApiGatewayV2::Route").values() if r["ApiId"] == HTTP}
SOCKET_ROUTES = {r["RouteKey"]: r for r in resources("AWS::ApiGatewayV2::Route").values() if r["ApiId"] != HTTP}
PAGE = {
    f"ANY {path}" for path in ("/", "/page.json", "/assets/{proxy+}", "/icons/{proxy+}", "/manifest.webmanifest", "/worker.js")
}
PUBLIC = {"ANY /health", "GET /feeds/{proxy+}", "HEAD /feeds/{proxy+}", "OPTIONS /{proxy+}"} | PAGE
"""Routes without a token."""
FUNCTIONS = ("Api", "ApiSync", "Public")
NOTHING = {"Ref": "AWS::NoValue"}


def http_stage() -> dict[str, Any]:
    """Return the stage of the HTTP API."""
    (stage,) = [s for s in resources("AWS::ApiGatewayV2::Stage").values() if s["ApiId"] == HTTP]
    return stage


def function_of(route: str) -> str:
    """Return the function that a route leads to."""
    integration = ROUTES[route]["Target"]["Fn::Sub"].removeprefix("integrations/${").removesuffix("}")
    uri = resources("AWS::ApiGatewayV2::Integration")[integration]["IntegrationUri"]["Fn::Sub"]
    (function,) = re.findall(r"functions/\$\{(\w+)\.Arn\}/invocations$", uri)
    return str(function)


def test_every_route_leads_to_its_function():
    """The routes under /sync, the public routes, and all others have one function each."""
    assert {key: function_of(key) for key in ROUTES} == {
        "ANY /sync/{proxy+}": "ApiSyncFunction",
        "$default": "ApiFunction",
        **dict.fromkeys(PUBLIC, "PublicFunction"),
    }


@pytest.mark.parametrize("key", sorted(ROUTES))
def test_every_route_but_the_public_ones_asks_who_is_there(key):
    """The routes without an authorizer are those of the public function."""
    route = ROUTES[key]

    if key in PUBLIC:
        assert route["AuthorizationType"] == "NONE"
        assert "AuthorizerId" not in route
    else:
        assert route["AuthorizationType"] == {"Fn::If": ["UsesJwt", "JWT", "CUSTOM"]}
        assert route["AuthorizerId"] == {"Fn::If": ["UsesJwt", {"Ref": "JwtAuthorizer"}, {"Ref": "TokenAuthorizer"}]}


def test_no_public_route_is_wider_than_it_says():
    """No public route is a catch-all, except OPTIONS for preflight requests, which have no token."""
    assert [key for key in PUBLIC if re.fullmatch(r"(\$default|\S+ /\{proxy\+\})", key)] == ["OPTIONS /{proxy+}"]


def test_a_revoked_token_is_shut_out_within_a_minute():
    """The gateway caches the authorizer's result for less than a minute, by the whole header."""
    authorizer = resources("AWS::ApiGatewayV2::Authorizer")["TokenAuthorizer"]

    assert 0 < authorizer["AuthorizerResultTtlInSeconds"] < 60
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    assert (authorizer["AuthorizerType"], authorizer["AuthorizerPayloadFormatVersion"]) == ("REQUEST", "2.0")
    assert authorizer["EnableSimpleResponses"] is True
    assert refers_to(authorizer["AuthorizerUri"], "AuthorizeFunction")


def test_a_jwt_is_for_an_issuer_and_an_audience():
    """With an identity provider, its issuer and audiences are parameters, both or neither: a rule asserts it."""
    jwt = resources("AWS::ApiGatewayV2::Authorizer")["JwtAuthorizer"]
    rules = [rule["Assertions"][0]["Assert"] for rule in transformed()["Rules"].values() if "Jwt" in str(rule)]
    declared = source_template()["Parameters"]

    assert jwt["AuthorizerType"] == "JWT"
    assert refers_to(jwt["JwtConfiguration"]["Issuer"], "JwtIssuer")
    assert refers_to(jwt["JwtConfiguration"]["Audience"], "JwtAudience")
    assert {str(rule) for rule in rules} == {
        str({"Fn::Not": [{"Fn::Equals": [{"Ref": name}, ""]}]}) for name in ("JwtIssuer", "JwtAudience")
    }
    assert declared["JwtIssuer"]["Default"] == declared["JwtAudience"]["Default"] == ""
    assert not re.fullmatch(declared["JwtIssuer"]["AllowedPattern"], "http://issuer.example")


def test_exactly_one_authorizer_is_made():
    """Tokens and JWTs exclude each other."""
    conditions = {n: r.get("Condition") for n, r in transformed()["Resources"].items() if r["Type"].endswith("::Authorizer")}

    sockets = conditions.pop("LiveApiConnectAuthorizer")
    assert conditions == {"TokenAuthorizer": "UsesTokens", "JwtAuthorizer": "UsesJwt"}
    assert sockets is None  # tickets are Bokit's own, with JWTs too
    assert transformed()["Conditions"]["UsesTokens"] == {"Fn::Not": [{"Condition": "UsesJwt"}]}


def test_access_logs_name_the_route_and_never_the_path():
    """The access log has no paths (they may have a calendar's secret), no client addresses and no user agents."""
    settings = http_stage()["AccessLogSettings"]
    variables = set(re.findall(r"\$context\.([A-Za-z.]+)", settings["Format"]))

    assert settings["DestinationArn"] == {"Fn::GetAtt": ["HttpLogGroup", "Arn"]}
    assert {"routeKey", "status", "responseLatency", "requestId", "error.responseType"} <= variables
    assert not [v for v in variables if v.startswith(("path", "identity", "domain", "authorizer.lambda", "authorizer.claims"))]
    assert "$request" not in settings["Format"]
    assert json.loads(settings["Format"])["route"] == "$context.routeKey"


@pytest.mark.parametrize("group", sorted(resources("AWS::Logs::LogGroup")))
def test_every_log_group_forgets(group):
    """The parameter sets how long the access log is kept."""
    assert refers_to(resources("AWS::Logs::LogGroup")[group]["RetentionInDays"], "LogRetentionDays")


def test_the_api_is_throttled():
    """Parameters bound the rate and the burst of requests on every route."""
    for stage in resources("AWS::ApiGatewayV2::Stage").values():
        assert stage["AutoDeploy"] is True
        assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == {"Ref": "ApiRateLimit"}
        assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] == {"Ref": "ApiBurstLimit"}
        assert "RouteSettings" not in stage
    assert all(source_template()["Parameters"][p]["Default"] > 0 for p in ("ApiRateLimit", "ApiBurstLimit"))


def test_the_public_takes_no_more_than_its_part():
    """The public function may have reserved concurrency, so that its requests cannot use up that of the others."""
    functions = resources("AWS::Lambda::Function")
    bound = functions["PublicFunction"]["ReservedConcurrentExecutions"]

    assert bound == {"Fn::If": ["BoundsPublic", {"Ref": "PublicConcurrency"}, NOTHING]}
    assert transformed()["Conditions"]["BoundsPublic"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "PublicConcurrency"}, 0]}]}
    assert [n for n, f in functions.items() if "ReservedConcurrentExecutions" in f] == ["PublicFunction"]


def test_a_page_of_any_origin_may_ask_and_no_browser_adds_what_it_knows():
    """Any origin by default, or those that CorsOrigins names; never with cookies: a page has only its token."""
    api = resources("AWS::ApiGatewayV2::Api")["HttpApi"]
    name, cors, otherwise = api["CorsConfiguration"]["Fn::If"]

    assert (name, otherwise) == ("HasCors", NOTHING)
    assert transformed()["Conditions"]["HasCors"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "CorsOrigins"}, ""]}]}
    assert cors["AllowOrigins"] == {"Fn::Split": [",", {"Ref": "CorsOrigins"}]}
    assert "AllowCredentials" not in cors
    assert {"authorization", "content-type", "idempotency-key"} <= set(cors["AllowHeaders"])
    assert source_template()["Parameters"]["CorsOrigins"]["Default"] == "*"


def test_no_function_sends_headers_that_the_gateway_would_drop():
    """With CORS configured, the gateway ignores a function's own: only the template says who may read an answer.

    Taken nights alone are for any website where the template names no origins; docs/frontends.md says what else it takes.
    """
    for_any_website = {ROOT / "layers/shared/bokit/http" / name for name in ("public.py", "routes/feeds.py")}
    code = [file for folder in ("layers/shared/bokit", "functions") for file in (ROOT / folder).rglob("*.py")]

    assert len(code) > 100
    assert {file for file in code if "access-control-" in file.read_text(encoding="utf-8").lower()} == for_any_website


@pytest.mark.parametrize(
    ("origins", "is_taken"),
    [
        ("", True),
        ("*", True),
        ("https://a.example", True),
        ("https://a.example,http://localhost:3000", True),
        ("https://a.example/", False),
        ("https://*.example", False),
        ("a.example", False),
        ("https://a.example, https://b.example", False),
    ],
)
def test_an_origin_is_written_as_a_browser_sends_it(origins, is_taken):
    """Scheme and host, with no path and no pattern."""
    pattern = source_template()["Parameters"]["CorsOrigins"]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, origins)) is is_taken


@pytest.mark.parametrize("function", [*FUNCTIONS, "Authorize"])
def test_the_gateway_alone_may_call_and_this_api_alone(function):
    """Only API Gateway, and only for this API, may call the functions."""
    allowed = [p for p in resources("AWS::Lambda::Permission").values() if refers_to(p["FunctionName"], f"{function}Function")]
    (permission,) = [p for p in allowed if not refers_to(p["SourceArn"], "LiveApi")]
    assert len(allowed) == 1 + (function == "Authorize")

    assert (permission["Action"], permission["Principal"]) == ("lambda:InvokeFunction", "apigateway.amazonaws.com")
    assert refers_to(permission["SourceArn"], "HttpApi")
    assert refers_to(permission["SourceArn"], "TokenAuthorizer") is (function == "Authorize")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_ends_before_the_gateway_gives_up(function):
    """API Gateway waits at most 30 s; a later response is lost."""
    assert resources("AWS::Lambda::Function")[f"{function}Function"]["Timeout"] < 30


def test_answers_of_5xx_raise_an_alarm():
    """One response with a 5xx raises an alarm."""
    alarm = resources("AWS::CloudWatch::Alarm")["HttpErrorsAlarm"]

    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == ("AWS/ApiGateway", "5xx", 0)
    assert alarm["Dimensions"] == [{"Name": "ApiId", "Value": {"Ref": "HttpApi"}}]


def test_payloads_are_of_format_2():
    """The functions read payloads of format 2.0."""
    found = [i for i in resources("AWS::ApiGatewayV2::Integration").values() if i["ApiId"] == HTTP]
    assert {i["PayloadFormatVersion"] for i in found} == {"2.0"}


def test_the_apis_address_is_an_output():
    """The outputs name the API's URL and id."""
    outputs = settle()["Outputs"]

    assert outputs["ApiId"]["Value"] == {"Ref": "HttpApi"}
    assert outputs["ApiUrl"]["Value"] == {"Fn::Sub": "https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}


def test_sam_local_start_api_finds_the_routes():
    """The API is before every function: SAM's local server reads raw routes only if it finds the API first."""
    kinds = [resource["Type"] for resource in source_template()["Resources"].values()]

    assert kinds.index("AWS::ApiGatewayV2::Api") < kinds.index("AWS::Serverless::Function")


def test_what_stands_before_the_api_is_in_calendars():
    """URLs begin with ApiAddress if it is set without a domain; only the local API has a fixed id."""
    variables = resources("AWS::Lambda::Function")["ApiFunction"]["Environment"]["Variables"]
    api = resources("AWS::ApiGatewayV2::Api")["HttpApi"]

    condition, _, address = variables["BOKIT_API_URL"]["Fn::If"]
    assert (condition, address["Fn::If"][:2]) == ("HasDomain", ["HasApiAddress", {"Ref": "ApiAddress"}])
    assert variables["BOKIT_API_URL"] == transformed()["Outputs"]["ApiUrl"]["Value"]
    assert variables["BOKIT_API_URL"] == public_variables()["BOKIT_API_URL"]
    assert api["Tags"] == {"Fn::If": ["IsLocal", {"ms-custom-id": {"Ref": "AWS::StackName"}}, NOTHING]}


def public_variables() -> dict[str, Any]:
    """Return the environment of the public function."""
    variables: dict[str, Any] = resources("AWS::Lambda::Function")["PublicFunction"]["Environment"]["Variables"]
    return variables


def test_every_path_of_the_page_is_public():
    """What the API serves of the page without a token, the gateway lets pass without one."""
    served = {path for (_, path), role in page.routes.roles.items() if role is None}

    assert {path.replace("{file}", "{proxy+}") for path in served} == {key.removeprefix("ANY ") for key in PAGE}


def test_the_page_knows_the_stacks_issuer():
    """Its settings come from parameters, and its address, which ends in a slash, is an output."""
    variables, declared = public_variables(), source_template()["Parameters"]

    for name, parameter in (("ISSUER", "JwtIssuer"), ("PAGE_CLIENT_ID", "PageClientId"), ("PAGE_LOCALE", "PageLocale")):
        assert variables[f"BOKIT_{name}"] == {"Ref": parameter}
    assert (declared["PageClientId"]["Default"], declared["PageLocale"]["Default"]) == ("", "en")
    for changed, own in (({"ApiAddress": "https://cdn.example"}, "${ApiAddress}"), ({}, None)):
        outputs = settle(**changed)["Outputs"]
        assert outputs["PageUrl"]["Value"] == {"Fn::Sub": f"{own or outputs['ApiUrl']['Value']['Fn::Sub']}/"}


def test_the_page_is_built_where_its_sources_are():
    """Its target of the makefile runs in the repository; the others in a copy of their folder."""
    folders = {
        name: resource["Metadata"].get("WorkingDirectory")
        for name, resource in source_template()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }

    assert {name: folder for name, folder in folders.items() if folder} == {"PublicFunction": "."}


def test_the_key_of_calendars_is_nobody_elses():
    """AWS makes the secret, only the API's function reads it, and no source can name it as its secret."""
    (key,) = resources("AWS::SecretsManager::Secret").values()
    readers = [role for role in resources("AWS::IAM::Role") if "CalendarKey" in str(policy_statements(role))]
    configured = [
        n for n, f in resources("AWS::Lambda::Function").items() if "BOKIT_CALENDAR_KEY" in f["Environment"]["Variables"]
    ]

    assert "Name" not in key
    assert key["GenerateSecretString"]["PasswordLength"] >= 43
    assert (readers, configured) == (["ApiFunctionRole"], ["ApiFunction"])


@pytest.mark.parametrize("function", ["Sync", "Api", "ApiSync", "Public"])
def test_who_looks_for_what_is_late_may_ask_the_index(function):
    """The scheduled function, and every function whose requests may start a sync, may query the index of due shards."""
    granted = [s for s in policy_statements(f"{function}FunctionRole") if "dynamodb:Query" in as_list(s["Action"])]

    assert any(str(r["Fn::Sub"]).count(":table/${Table}/index/due") for s in granted for r in as_list(s["Resource"]))


# ── the WebSocket ──


def test_a_ticket_opens_the_socket_and_nothing_else_does():
    """$connect asks the authorizer for the ticket of the address; what comes later is of who connected."""
    (name,) = {r["AuthorizerId"]["Ref"] for r in SOCKET_ROUTES.values() if "AuthorizerId" in r}
    authorizer = resources("AWS::ApiGatewayV2::Authorizer")[name]

    assert sorted(SOCKET_ROUTES) == ["$connect", "$default", "$disconnect", "ping", "resume"]
    assert [key for key, r in SOCKET_ROUTES.items() if r.get("AuthorizationType") == "CUSTOM"] == ["$connect"]
    assert [source["Fn::If"][2] for source in authorizer["IdentitySource"]] == ["route.request.querystring.ticket"]
    assert transformed()["Conditions"]["IsSamLocal"] == {"Fn::Equals": [{"Ref": "AWS::URLSuffix"}, "localhost"]}
    assert refers_to(authorizer["AuthorizerUri"], "AuthorizeFunction")
    assert "AuthorizerResultTtlInSeconds" not in authorizer


def test_every_route_of_the_socket_is_the_one_functions_and_the_gateway_alone_may_call_it():
    """Of this API alone."""
    uris = [i["IntegrationUri"] for i in resources("AWS::ApiGatewayV2::Integration").values() if i["ApiId"] != HTTP]
    allowed = [p for p in resources("AWS::Lambda::Permission").values() if refers_to(p["FunctionName"], "LiveFunction")]

    assert len(uris) == len(allowed) == 1
    assert all(refers_to(uri, "LiveFunction") for uri in uris)
    assert all(refers_to(route["Target"], "LiveIntegration") for route in SOCKET_ROUTES.values())
    assert {p["Principal"] for p in allowed} == {"apigateway.amazonaws.com"}
    assert all("${LiveApi}/live/" in str(p["SourceArn"]) for p in allowed)


def test_the_socket_has_no_access_log():
    """It would need a role in the settings of the whole account, and its query has the ticket."""
    (stage,) = [s for s in resources("AWS::ApiGatewayV2::Stage").values() if s["ApiId"] != HTTP]

    assert "AccessLogSettings" not in stage
    assert stage["StageName"] == "live"


def test_who_needs_the_sockets_address_has_it():
    """Clients connect at a domain of one's own if there is one; messages are posted to API Gateway's own address."""
    variables = {n: f["Environment"]["Variables"] for n, f in resources("AWS::Lambda::Function").items()}
    outputs = transformed()["Outputs"]
    having = {
        name: sorted(n.removesuffix("Function") for n, own in variables.items() if own.get(name) == outputs[output]["Value"])
        for name, output in (("BOKIT_LIVE_URL", "LiveUrl"), ("BOKIT_LIVE_ENDPOINT", "LiveEndpoint"))
    }

    assert having == {
        "BOKIT_LIVE_URL": ["Api", "ApiSync", "Public"],
        "BOKIT_LIVE_ENDPOINT": ["Api", "Live", "Notify", "Sync"],
    }
    usual = settle()["Outputs"]
    assert [usual[n]["Value"]["Fn::Sub"][:6] for n in ("LiveUrl", "LiveEndpoint")] == ["wss://", "https:"]
