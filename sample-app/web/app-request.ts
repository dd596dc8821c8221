import type { IncomingMessage } from 'node:http';
import type { User } from '../users/user.entity.js';

export interface AppRequest extends IncomingMessage {
  /** Set by SessionGuard; absent where a request failed before it. */
  viewer?: User | null;
}
