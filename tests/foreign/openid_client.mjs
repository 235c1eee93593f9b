// A relying party on the library openid-client. Speaks with tests/house/foreign.rs by lines of JSON: it asks for an
// address to be visited, reads where the browser was sent, and says at the end what it found.
import { createInterface } from 'node:readline';
import { webcrypto } from 'node:crypto';
// Debian 12 has Node 18, where these are not global yet.
globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;
const client = await import('openid-client');

const [issuer, id, secret, redirectUri] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const visit = async (url) => {
  console.log(JSON.stringify({ visit: url.href }));
  return new URL((await lines.next()).value);
};
const insecure = { execute: [client.allowInsecureRequests] };
const config = await client.discovery(new URL(issuer), id, secret, client.ClientSecretBasic(secret), insecure);

const login = async (more = {}, build = client.buildAuthorizationUrl, options) => {
  const verifier = client.randomPKCECodeVerifier();
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const url = await build(config, {
    redirect_uri: redirectUri,
    scope: 'openid profile email offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  }, options);
  const callback = await visit(url);
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  return client.authorizationCodeGrant(config, callback, checks, undefined, options);
};

const found = {};
const tokens = await login({ max_age: '3600' });
found.claims = tokens.claims();
found.userinfo = await client.fetchUserInfo(config, tokens.access_token, found.claims.sub);
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
found.renewed = renewed.claims().sub;
found.introspected = await client.tokenIntrospection(config, renewed.access_token);
await client.tokenRevocation(config, renewed.refresh_token);
found.revoked = await client.tokenIntrospection(config, renewed.access_token);
found.pushed = (await login({}, client.buildAuthorizationUrlWithPAR)).claims().sub;
const keys = await client.randomDPoPKeyPair('ES256');
const DPoP = client.getDPoPHandle(config, keys);
const bound = await login({}, client.buildAuthorizationUrl, { DPoP });
found.bound = bound.token_type;
found.boundUserinfo = await client.fetchUserInfo(config, bound.access_token, bound.claims().sub, { DPoP });
try {
  await client.authorizationCodeGrant(config, await visit(client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri, scope: 'openid', prompt: 'none', max_age: '0', state: 's',
    code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()),
    code_challenge_method: 'S256',
  })), { expectedState: 's' });
} catch (error) {
  found.refused = error.error;
}
found.logout = client.buildEndSessionUrl(config, { id_token_hint: renewed.id_token, post_logout_redirect_uri: redirectUri }).href;
console.log(JSON.stringify({ done: found }));
process.exit(0);
