import { randomInt } from 'node:crypto';
import { TID } from '@atproto/common-web';

let last = 0;

/**
 * A new record key (https://atproto.com/specs/tid). Microseconds and clock id are random, because clock ids chosen once
 * per process collide between processes; within this process the microseconds only grow, so a bulk insert gets no key twice.
 */
export function newTid(): string {
  last = Math.max(last + 1, Date.now() * 1000 + randomInt(1000));
  return TID.fromTime(last, randomInt(1024)).toString();
}
