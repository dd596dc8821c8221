import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { AtpOAuthService } from 'nestjs-parity';
import { Settings } from '../settings/settings.js';
import { User } from '../users/user.entity.js';
import { UsersService } from '../users/users.service.js';
import { readCookie, setCookie } from './cookies.js';
import { SessionCookie } from './session-cookie.js';

/** Where nobody asked for another page. */
export const HOME = '/posts';
const SESSION = 'session';
/** Names the browser that began a sign-in: nobody can be signed in by a link to somebody else's callback. */
const BROWSER = 'sign-in';
/** As long as a sign-in may take, in seconds. */
const BROWSER_LIFETIME = 60 * 60;

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
  async begin(
    handle: string,
    returnTo: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<URL> {
    // Tabs of one browser share what it has; the last cookie would end the others' sign-ins otherwise.
    const url = await this.oauth.authorize(handle, { returnTo, binding: readCookie(request, BROWSER) });
    setCookie(response, BROWSER, url.binding, { path: '/', maxAge: BROWSER_LIFETIME });
    return url;
  }

  async complete(
    query: Record<string, string>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<{ user: User; returnTo: string }> {
    const { did, returnTo } = await this.oauth.callback(query, { binding: readCookie(request, BROWSER) });
    const user = await this.users.signedIn(did, await this.handleOf(did));
    setCookie(response, SESSION, this.sessions.seal(did), { path: '/', maxAge: this.sessions.lifetime });
    return { user, returnTo: returnTo ?? HOME };
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
