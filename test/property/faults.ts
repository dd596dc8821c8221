import {
  answer,
  delay,
  dropResponse,
  Held,
  html,
  resetBefore,
  serverError,
  type Exchange,
  type Fault,
  type FaultProxy,
} from '../support/fault-proxy.js';
import type { Step } from './steps.js';

type FaultStep = Extract<Step, { kind: 'fault' }>;

const FAULTS: Record<Exclude<FaultStep['fault'], 'land-late' | 'silent'>, Fault> = {
  'drop-response': dropResponse,
  reset: resetBefore,
  'server-error': serverError,
  'bad-gateway': html(502),
  'too-many': answer(
    429,
    { error: 'RateLimitExceeded', message: 'Rate Limit Exceeded' },
    { 'retry-after': '1' },
  ),
  slow: delay(150),
  down: resetBefore,
};

const isWrite = ({ nsid }: Exchange): boolean => nsid === 'com.atproto.repo.applyWrites';

/**
 * @param late takes the requests that are to land later. The application hears at once that `land-late` was
 * lost; for `silent` it waits in vain.
 */
export function arrangeFault(proxy: FaultProxy, { fault, reads, times }: FaultStep, late: Held[]): void {
  const hold =
    (how: 'lost' | 'fault'): Fault =>
    (exchange) => {
      const held = new Held();
      late.push(held);
      return held[how](exchange);
    };
  const faults = { ...FAULTS, 'land-late': hold('lost'), silent: hold('fault') };
  const matches = fault === 'down' ? () => true : (exchange: Exchange) => isWrite(exchange) !== reads;
  proxy.fault(matches, faults[fault], fault === 'down' ? times * 4 : times);
}
