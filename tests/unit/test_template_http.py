"""What the HTTP API promises, asserted on what SAM makes of the template: the local cloud honours but a part of it."""

from __future__ import annotations

import json
import re

import pytest

from tests.unit.transformed import as_list, policy_statements, refers_to, resources, source_template, transformed

ROUTES = {route["RouteKey"]: route for route in resources("AWS::ApiGatewayV2::Route").values()}
PUBLIC = {"ANY /health", "GET /feeds/{proxy+}", "HEAD /feeds/{proxy+}", "OPTIONS /{proxy+}"}
"""Routes that want no token."""
FUNCTIONS = ("Api", "ApiSync", "Public")
NOTHING = {"Ref": "AWS::NoValue"}


def function_of(route: str) -> str:
    """Return the function that a route leads to."""
    integration = ROUTES[route]["Target"]["Fn::Sub"].removeprefix("integrations/${").removesuffix("}")
    uri = resources("AWS::ApiGatewayV2::Integration")[integration]["IntegrationUri"]["Fn::Sub"]
    (function,) = re.findall(r"functions/\$\{(\w+)\.Arn\}/invocations$", uri)
    return str(function)


def test_every_route_leads_to_its_function():
    """What is under /sync, what wants no token, and all the rest have a function each."""
    assert {key: function_of(key) for key in ROUTES} == {
        "ANY /sync/{proxy+}": "ApiSyncFunction",
        "$default": "ApiFunction",
        **dict.fromkeys(PUBLIC, "PublicFunction"),
    }


@pytest.mark.parametrize("key", sorted(ROUTES))
def test_every_route_but_the_public_ones_asks_who_is_there(key):
    """A route without an authorizer leads to the function of the public, and no other does."""
    route = ROUTES[key]

    if key in PUBLIC:
        assert route["AuthorizationType"] == "NONE"
        assert "AuthorizerId" not in route
    else:
        assert route["AuthorizationType"] == {"Fn::If": ["UsesJwt", "JWT", "CUSTOM"]}
        assert route["AuthorizerId"] == {"Fn::If": ["UsesJwt", {"Ref": "JwtAuthorizer"}, {"Ref": "TokenAuthorizer"}]}


def test_no_public_route_is_wider_than_it_says():
    """No public route ends in a bare catch-all, but for a browser's OPTIONS, and that only where there is CORS."""
    wide = [key for key in PUBLIC if re.fullmatch(r"(\$default|\S+ /\{proxy\+\})", key)]
    (condition,) = {r.get("Condition") for r in transformed()["Resources"].values() if "OPTIONS" in str(r)}

    assert wide == ["OPTIONS /{proxy+}"]
    assert condition == "HasCors"
    assert transformed()["Conditions"]["HasCors"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "CorsOrigins"}, ""]}]}


def test_a_revoked_token_is_shut_out_within_a_minute():
    """The gateway remembers the authorizer's answer for less than a minute, by the whole header."""
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
    """A path may hold a calendar's secret, and an address is somebody's: neither is logged, nor who asks with what."""
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
    """The access log, too, is kept for as long as the parameter says."""
    assert refers_to(resources("AWS::Logs::LogGroup")[group]["RetentionInDays"], "LogRetentionDays")


def test_the_api_is_throttled():
    """Requests a second, and at once, are bounded by parameters, on every route."""
    (stage,) = resources("AWS::ApiGatewayV2::Stage").values()

    assert stage["AutoDeploy"] is True
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == {"Ref": "ApiRateLimit"}
    assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] == {"Ref": "ApiBurstLimit"}
    assert "RouteSettings" not in stage
    assert all(source_template()["Parameters"][p]["Default"] > 0 for p in ("ApiRateLimit", "ApiBurstLimit"))


def test_the_public_takes_no_more_than_its_part():
    """The function without a token has reserved concurrency, so that a crowd there leaves the rest its own; 0 takes it away."""
    functions = resources("AWS::Lambda::Function")
    bound = functions["PublicFunction"]["ReservedConcurrentExecutions"]

    assert bound == {"Fn::If": ["BoundsPublic", {"Ref": "PublicConcurrency"}, NOTHING]}
    assert transformed()["Conditions"]["BoundsPublic"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "PublicConcurrency"}, 0]}]}
    assert source_template()["Parameters"]["PublicConcurrency"]["Default"] == 20
    assert [n for n, f in functions.items() if "ReservedConcurrentExecutions" in f] == ["PublicFunction"]


def test_other_origins_come_in_by_a_parameter_alone():
    """Without CorsOrigins no page of another origin reads an answer; with it, those that it names."""
    (api,) = resources("AWS::ApiGatewayV2::Api").values()
    name, told, otherwise = api["CorsConfiguration"]["Fn::If"]

    assert (name, otherwise) == ("HasCors", NOTHING)
    assert told["AllowOrigins"] == {"Fn::Split": [",", {"Ref": "CorsOrigins"}]}
    assert "AllowCredentials" not in told
    assert {"authorization", "idempotency-key"} <= set(told["AllowHeaders"])
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
def test_an_origin_is_written_as_a_browser_tells_it(origins, is_taken):
    """Scheme and host, with no path and no pattern."""
    pattern = source_template()["Parameters"]["CorsOrigins"]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, origins)) is is_taken


@pytest.mark.parametrize("function", [*FUNCTIONS, "Authorize"])
def test_the_gateway_alone_may_call_and_this_api_alone(function):
    """Each function lets API Gateway in for this API, and nobody else."""
    allowed = [p for p in resources("AWS::Lambda::Permission").values() if refers_to(p["FunctionName"], f"{function}Function")]
    (permission,) = allowed

    assert (permission["Action"], permission["Principal"]) == ("lambda:InvokeFunction", "apigateway.amazonaws.com")
    assert refers_to(permission["SourceArn"], "HttpApi")
    assert refers_to(permission["SourceArn"], "TokenAuthorizer") is (function == "Authorize")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_ends_before_the_gateway_gives_up(function):
    """API Gateway waits for 30 s at most; who is slower could tell nobody."""
    assert resources("AWS::Lambda::Function")[f"{function}Function"]["Timeout"] < 30


def test_answers_of_5xx_raise_an_alarm():
    """One answer of the API that is its own fault is enough for an alarm."""
    alarm = resources("AWS::CloudWatch::Alarm")["HttpErrorsAlarm"]

    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == ("AWS/ApiGateway", "5xx", 0)
    assert alarm["Dimensions"] == [{"Name": "ApiId", "Value": {"Ref": "HttpApi"}}]


def test_payloads_are_of_format_2():
    """The functions read payloads of format 2.0."""
    assert {i["PayloadFormatVersion"] for i in resources("AWS::ApiGatewayV2::Integration").values()} == {"2.0"}


def test_the_apis_address_is_an_output():
    """Who deploys it finds the API's address and id among the outputs."""
    outputs = transformed()["Outputs"]

    assert outputs["ApiId"]["Value"] == {"Ref": "HttpApi"}
    assert outputs["ApiUrl"]["Value"]["Fn::If"][2] == {
        "Fn::Sub": "https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
    }


def test_sam_local_start_api_finds_the_routes():
    """The API stands before every function: SAM's local server reads raw routes only where it meets the API first."""
    kinds = [resource["Type"] for resource in source_template()["Resources"].values()]

    assert kinds.index("AWS::ApiGatewayV2::Api") < kinds.index("AWS::Serverless::Function")


def test_a_domain_of_ones_own_stands_in_calendars():
    """URLs that are shown begin with ApiAddress where it is told, else with AWS's own; an id is pinned locally alone."""
    variables = resources("AWS::Lambda::Function")["ApiFunction"]["Environment"]["Variables"]
    (api,) = resources("AWS::ApiGatewayV2::Api").values()

    assert variables["BOKIT_API_URL"]["Fn::If"][:2] == ["HasApiAddress", {"Ref": "ApiAddress"}]
    assert variables["BOKIT_API_URL"] == transformed()["Outputs"]["ApiUrl"]["Value"]
    assert api["Tags"] == {"Fn::If": ["IsLocal", {"ms-custom-id": "bokit"}, NOTHING]}


def test_the_key_of_calendars_is_nobody_elses():
    """Made by AWS, read by the API's function alone, and under no name that a source could give as its own secret."""
    (key,) = resources("AWS::SecretsManager::Secret").values()
    readers = [role for role in resources("AWS::IAM::Role") if "CalendarKey" in str(policy_statements(role))]
    told = [n for n, f in resources("AWS::Lambda::Function").items() if "BOKIT_CALENDAR_KEY" in f["Environment"]["Variables"]]

    assert "Name" not in key
    assert key["GenerateSecretString"]["PasswordLength"] >= 43
    assert (readers, told) == (["ApiFunctionRole"], ["ApiFunction"])


@pytest.mark.parametrize("function", ["Sync", "Api", "ApiSync", "Public"])
def test_who_looks_for_what_is_late_may_ask_the_index(function):
    """The tick, and every function that a request may wake a sync through, may query the index of due shards."""
    granted = [s for s in policy_statements(f"{function}FunctionRole") if "dynamodb:Query" in as_list(s["Action"])]

    assert any({"Fn::Sub": "${Table.Arn}/index/due"} in as_list(s["Resource"]) for s in granted)
