"""A second opinion on every request to AWS that a test sends: limits and validations of the services, which the mocks forgive.

``values`` has attribute values and their sizes, ``expressions`` DynamoDB's expressions, ``dynamo`` its requests, ``messages`` the
requests of the other services, ``watch`` the hook in every client of botocore.
"""
