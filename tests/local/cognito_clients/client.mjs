// Changes a password with one of Cognito's own JavaScript clients, according to the environment, and prints
// the error that the client reports to the app.

import sdk from "@aws-sdk/client-cognito-identity-provider";
import identity from "amazon-cognito-identity-js";

const env = process.env;

const clients = {
  async sdk() {
    const client = new sdk.CognitoIdentityProviderClient({ region: env.REGION, endpoint: env.FRONT });
    const { TOKEN: AccessToken, PREVIOUS: PreviousPassword, PROPOSED: ProposedPassword } = env;
    const input = { AccessToken, PreviousPassword, ProposedPassword };
    await client.send(new sdk.ChangePasswordCommand(input));
  },

  // This client sends every request to one endpoint, sign-in included.
  async identity() {
    const Pool = new identity.CognitoUserPool({
      UserPoolId: env.POOL,
      ClientId: env.CLIENT_ID,
      endpoint: env.FRONT,
    });
    const user = new identity.CognitoUser({ Username: env.USERNAME, Pool });
    user.setAuthenticationFlowType("USER_PASSWORD_AUTH");
    const details = { Username: env.USERNAME, Password: env.PASSWORD };
    const session = await new Promise((onSuccess, onFailure) => {
      const request = new identity.AuthenticationDetails(details);
      user.authenticateUser(request, { onSuccess, onFailure });
    });
    session.accessToken = new identity.CognitoAccessToken({ AccessToken: env.TOKEN });
    await new Promise((done, fail) => {
      user.changePassword(env.PREVIOUS, env.PROPOSED, (error) => (error ? fail(error) : done()));
    });
  },
};

try {
  await clients[env.CLIENT]();
  console.log(JSON.stringify({ name: null, message: null }));
} catch ({ name, message }) {
  console.log(JSON.stringify({ name, message }));
}
