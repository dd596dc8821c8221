import { ParityError, type ParityErrorContext } from './parity.error.js';

/** A webhook's event was not taken; its service sends it again. */
export class WebhookRefusedError extends ParityError {
  readonly code = 'WEBHOOK_REFUSED';
  /** Of the HTTP answer: 401 for a wrong password, 503 where the event cannot be taken now. */
  readonly status: 401 | 503;

  constructor(message: string, { status, ...context }: ParityErrorContext & { readonly status: 401 | 503 }) {
    super(message, context);
    this.status = status;
  }
}
