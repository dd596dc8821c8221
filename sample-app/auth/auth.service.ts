import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { AtpOAuthService, SignInError } from 'nestjs-parity';
import { Settings } from '../settings/settings.js';
import { User } from '../users/user.entity.js';
import { UsersService } from '../users/users.service.js';
import { readCookie, setCookie } from './cookies.js';
import { SessionCookie } from './session-cookie.js';

const SESSION = 'session';
/** Names the browser that began a sign-in: nobody can be signed in by a link to somebody else's callback. */
const BROWSER = 'sign-in';
const BROWSER_PATH = '/oauth/callback';

@Injectable()
export class AuthService {
  private readonly sessions: SessionCookie;

  constructor(
    private readonly oauth: AtpOAuthService,
    private readonly users: UsersService,
    settings: Settings,
  ) {
    this.sessions = new SessionCookie(settings.cookieSecret);
  }

  /** @returns the URL at the PDS to send the browser to */
  async begin(handle: string, returnTo: string, response: ServerResponse): Promise<URL> {
    const browser = randomBytes(16).toString('base64url');
    // What comes back to callback() is kept on the server with the sign-in; a path has no other use for a fragment.
    const url = await this.oauth.authorize(handle, { returnTo: `${pathOf(returnTo)}#${browser}` });
    setCookie(response, BROWSER, browser, { path: BROWSER_PATH, maxAge: 60 * 60 });
    return url;
  }

  async complete(
    query: Record<string, string>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<{ user: User; returnTo: string }> {
    const { did, returnTo } = await this.oauth.callback(query);
    const browser = returnTo?.split('#')[1];
    if (browser === undefined || browser !== readCookie(request, BROWSER)) {
      throw new SignInError('unknown-state', 'This sign-in began in another browser. Sign in here again.');
    }
    const user = await this.users.signedIn(did, await this.handleOf(did));
    setCookie(response, BROWSER, '', { path: BROWSER_PATH, maxAge: 0 });
    setCookie(response, SESSION, this.sessions.seal(did), { path: '/', maxAge: this.sessions.lifetime });
    return { user, returnTo: pathOf(returnTo) };
  }

  /** Who the request's cookie says is signed in. */
  async viewer(request: IncomingMessage): Promise<User | null> {
    const did = this.sessions.open(readCookie(request, SESSION));
    return did === null ? null : this.users.find(did);
  }

  /** Ends the OAuth session as well, here and at the PDS. */
  async signOut(user: User, response: ServerResponse): Promise<void> {
    setCookie(response, SESSION, '', { path: '/', maxAge: 0 });
    await this.oauth.signOut(user.did);
  }

  private async handleOf(did: string): Promise<string> {
    try {
      const agent = await this.oauth.agentFor(did);
      return (await agent.com.atproto.repo.describeRepo({ repo: did })).data.handle;
    } catch {
      return did;
    }
  }
}

/** A `returnTo` without what `begin` added. */
export function pathOf(returnTo: string | null | undefined): string {
  return returnTo?.split('#')[0] || '/posts';
}
