"""Properties of the HTTP API, checked on the template as SAM transforms it; the local cloud supports only some of them."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.transformed import as_list, policy_statements, refers_to, resources, source_template, transformed

ROUTES = {route["RouteKey"]: route for route in resources("AWS::ApiGatewayV2::Route").values()}
PUBLIC = {"ANY /health", "GET /feeds/{proxy+}", "HEAD /feeds/{proxy+}", "OPTIONS /{proxy+}"}
"""Routes without a token."""
FUNCTIONS = ("Api", "ApiSync", "Public")
NOTHING = {"Ref": "AWS::NoValue"}


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
    """No public route is a catch-all, except OPTIONS for preflight requests, and only with CORS."""
    wide = [key for key in PUBLIC if re.fullmatch(r"(\$default|\S+ /\{proxy\+\})", key)]
    (condition,) = {r.get("Condition") for r in transformed()["Resources"].values() if "OPTIONS" in str(r)}

    assert wide == ["OPTIONS /{proxy+}"]
    assert condition == "HasCors"
    assert transformed()["Conditions"]["HasCors"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "CorsOrigins"}, ""]}]}


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

    assert conditions == {"TokenAuthorizer": "UsesTokens", "JwtAuthorizer": "UsesJwt"}
    assert transformed()["Conditions"]["UsesTokens"] == {"Fn::Not": [{"Condition": "UsesJwt"}]}


def test_access_logs_name_the_route_and_never_the_path():
    """The access log has no paths (they may have a calendar's secret), no client addresses and no user agents."""
    (stage,) = resources("AWS::ApiGatewayV2::Stage").values()
    settings = stage["AccessLogSettings"]
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
    (stage,) = resources("AWS::ApiGatewayV2::Stage").values()

    assert stage["AutoDeploy"] is True
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == {"Ref": "ApiRateLimit"}
    assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] == {"Ref": "ApiBurstLimit"}
    assert "RouteSettings" not in stage
    assert all(source_template()["Parameters"][p]["Default"] > 0 for p in ("ApiRateLimit", "ApiBurstLimit"))


def test_the_public_takes_no_more_than_its_part():
    """The public function has reserved concurrency, so its requests cannot use up that of the others; 0 removes it."""
    functions = resources("AWS::Lambda::Function")
    bound = functions["PublicFunction"]["ReservedConcurrentExecutions"]

    assert bound == {"Fn::If": ["BoundsPublic", {"Ref": "PublicConcurrency"}, NOTHING]}
    assert transformed()["Conditions"]["BoundsPublic"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "PublicConcurrency"}, 0]}]}
    assert source_template()["Parameters"]["PublicConcurrency"]["Default"] == 20
    assert [n for n, f in functions.items() if "ReservedConcurrentExecutions" in f] == ["PublicFunction"]


def test_other_origins_come_in_by_a_parameter_alone():
    """Without CorsOrigins no other origin can read a response; with it, the named origins can."""
    (api,) = resources("AWS::ApiGatewayV2::Api").values()
    name, cors, otherwise = api["CorsConfiguration"]["Fn::If"]

    assert (name, otherwise) == ("HasCors", NOTHING)
    assert cors["AllowOrigins"] == {"Fn::Split": [",", {"Ref": "CorsOrigins"}]}
    assert "AllowCredentials" not in cors
    assert {"authorization", "idempotency-key"} <= set(cors["AllowHeaders"])
    assert source_template()["Parameters"]["CorsOrigins"]["Default"] == ""


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
    (permission,) = allowed

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
    assert {i["PayloadFormatVersion"] for i in resources("AWS::ApiGatewayV2::Integration").values()} == {"2.0"}


def test_the_apis_address_is_an_output():
    """The outputs name the API's URL and id."""
    outputs = transformed()["Outputs"]

    assert outputs["ApiId"]["Value"] == {"Ref": "HttpApi"}
    assert outputs["ApiUrl"]["Value"]["Fn::If"][2] == {
        "Fn::Sub": "https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
    }


def test_sam_local_start_api_finds_the_routes():
    """The API is before every function: SAM's local server reads raw routes only if it finds the API first."""
    kinds = [resource["Type"] for resource in source_template()["Resources"].values()]

    assert kinds.index("AWS::ApiGatewayV2::Api") < kinds.index("AWS::Serverless::Function")


def test_a_domain_of_ones_own_stands_in_calendars():
    """URLs begin with ApiAddress if it is set, else with AWS's own; only the local API has a fixed id."""
    variables = resources("AWS::Lambda::Function")["ApiFunction"]["Environment"]["Variables"]
    (api,) = resources("AWS::ApiGatewayV2::Api").values()

    assert variables["BOKIT_API_URL"]["Fn::If"][:2] == ["HasApiAddress", {"Ref": "ApiAddress"}]
    assert variables["BOKIT_API_URL"] == transformed()["Outputs"]["ApiUrl"]["Value"]
    assert api["Tags"] == {"Fn::If": ["IsLocal", {"ms-custom-id": "bokit"}, NOTHING]}


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

    assert any({"Fn::Sub": "${Table.Arn}/index/due"} in as_list(s["Resource"]) for s in granted)
