import type { Session, SignIn } from "change-password-client";

interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/**
 * A session for an app that calls Cognito itself, without Amplify.
 *
 * The app client must allow `ALLOW_USER_PASSWORD_AUTH`. This example keeps the tokens in memory; keep
 * the refresh token in your platform's secure storage.
 */
export class CognitoSession implements Session {
  /** `endpoint` is `https://cognito-idp.<region>.amazonaws.com`. */
  constructor(
    private readonly endpoint: string,
    private readonly clientId: string,
    private readonly username: string,
    private tokens?: Tokens,
  ) {}

  async accessToken(renew: boolean): Promise<string | null> {
    if (!renew || !this.tokens) return this.tokens?.accessToken ?? null;
    const { refreshToken } = this.tokens;
    const [status, answer] = await this.initiateAuth("REFRESH_TOKEN_AUTH", { REFRESH_TOKEN: refreshToken });
    if (status === 200) return this.keep(answer, refreshToken);
    if (!String(answer["__type"]).endsWith("NotAuthorizedException")) throw new Error(`Cognito: ${status}`);
    this.tokens = undefined;
    return null;
  }

  async signIn(password: string): Promise<SignIn> {
    const parameters = { USERNAME: this.username, PASSWORD: password };
    const [status, answer] = await this.initiateAuth("USER_PASSWORD_AUTH", parameters);
    if (status === 200) {
      if (answer["ChallengeName"]) return "stepRequired";
      this.keep(answer);
      return "signedIn";
    }
    // Other errors, such as "Password attempts exceeded", do not reveal whether it is correct.
    if (answer["message"] === "Incorrect username or password.") return "incorrect";
    throw new Error(`Cognito: ${status}`);
  }

  private keep(answer: Record<string, unknown>, refreshToken = ""): string {
    const result = answer["AuthenticationResult"] as Record<string, string>;
    const accessToken = result["AccessToken"]!;
    this.tokens = { accessToken, refreshToken: result["RefreshToken"] ?? refreshToken };
    return accessToken;
  }

  private async initiateAuth(
    flow: string,
    parameters: Record<string, string>,
  ): Promise<[number, Record<string, unknown>]> {
    const response = await fetch(this.endpoint, {
      method: "POST",
      headers: {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth",
      },
      body: JSON.stringify({ AuthFlow: flow, ClientId: this.clientId, AuthParameters: parameters }),
      redirect: "error",
    });
    return [response.status, (await response.json()) as Record<string, unknown>];
  }
}
