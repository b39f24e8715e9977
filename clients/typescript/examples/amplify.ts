import { defaultStorage } from "aws-amplify/utils";
import { fetchAuthSession, getCurrentUser, signIn } from "aws-amplify/auth";
import { cognitoUserPoolsTokenProvider } from "aws-amplify/auth/cognito";
import type { Session } from "change-password-client";

/**
 * A session for an app with Amplify JS 6, in a browser or React Native.
 *
 * Amplify rejects a sign-in while a user is signed in, and signing out first would lose the session if
 * the password is wrong. So this signs in with an empty store, and keeps the result only on success.
 */
export const amplifySession: Session = {
  async accessToken(renew) {
    const { tokens } = await fetchAuthSession({ forceRefresh: renew });
    return tokens?.accessToken.toString() ?? null;
  },

  async signIn(password) {
    const { username } = await getCurrentUser();
    const entries = new Map<string, string>();
    cognitoUserPoolsTokenProvider.setKeyValueStorage({
      getItem: async (key) => entries.get(key) ?? null,
      setItem: async (key, value) => void entries.set(key, value),
      removeItem: async (key) => void entries.delete(key),
      clear: async () => entries.clear(),
    });
    try {
      const { isSignedIn } = await signIn({ username, password });
      if (!isSignedIn) return "stepRequired";
      for (const [key, value] of entries) await defaultStorage.setItem(key, value);
      return "signedIn";
    } catch (error) {
      const { name, message } = error as Error;
      if (name === "NotAuthorizedException" && message === "Incorrect username or password.") {
        return "incorrect";
      }
      throw error;
    } finally {
      cognitoUserPoolsTokenProvider.setKeyValueStorage(defaultStorage);
    }
  },
};
