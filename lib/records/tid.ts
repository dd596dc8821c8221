import { randomInt } from 'node:crypto';
import { TID } from '@atproto/common-web';

let last = 0;

/**
 * A new record key (https://atproto.com/specs/tid). Microseconds and clock id are random, because clock ids
 * that are chosen once per process collide between processes. Within this process the microseconds only grow,
 * so a bulk insert gets no key twice.
 */
export function newTid(): string {
  const random = randomInt(1000 * 1024);
  last = Math.max(last + 1, Date.now() * 1000 + Math.floor(random / 1024));
  return TID.fromTime(last, random % 1024).toString();
}
