// ChangePassword with AWS's SDK for JavaScript: no policy, no checks.

import {
  ChangePasswordCommand,
  CognitoIdentityProviderClient,
} from "@aws-sdk/client-cognito-identity-provider";

const client = new CognitoIdentityProviderClient({});

export async function handler(event) {
  const { previousPassword, proposedPassword } = JSON.parse(event.body);
  const change = new ChangePasswordCommand({
    AccessToken: event.headers.authorization.replace("Bearer ", ""),
    PreviousPassword: previousPassword,
    ProposedPassword: proposedPassword,
  });
  try {
    await client.send(change);
    return { statusCode: 204 };
  } catch {
    return { statusCode: 400 };
  }
}
