"""ChangePassword with boto3: no policy, no checks."""

import json

import boto3
from botocore.exceptions import ClientError

client = boto3.client("cognito-idp")


def handler(event, _context):
    body = json.loads(event["body"])
    try:
        client.change_password(
            AccessToken=event["headers"]["authorization"].removeprefix("Bearer "),
            PreviousPassword=body["previousPassword"],
            ProposedPassword=body["proposedPassword"],
        )
    except ClientError:
        return {"statusCode": 400}
    return {"statusCode": 204}
