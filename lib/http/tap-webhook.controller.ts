import { Body, Controller, Headers, HttpCode, HttpException, Post } from '@nestjs/common';
import { WebhookRefusedError } from '../errors/webhook-refused.error.js';
import { InboundService } from '../inbound/inbound.service.js';

/**
 * Takes the events of Tap for a source `tapWebhook()`, at `POST /tap/webhook`.
 *
 * - List it in the `controllers` of one of your modules.
 * - Tap comes with its admin password and without a session: let it pass your guards.
 * - It is answered once the effects of its event are committed, so that Tap sends again what was not.
 *
 * For another path, extend it: `@Controller('hooks/tap') class Hook extends TapWebhookController {}`.
 */
@Controller('tap/webhook')
export class TapWebhookController {
  constructor(private readonly inbound: InboundService) {}

  /** @throws HttpException 401 for a wrong password, 503 while nothing follows the source */
  @Post()
  @HttpCode(200)
  async take(
    @Body() body: unknown,
    @Headers('authorization') authorization: string | undefined,
  ): Promise<void> {
    try {
      await this.inbound.webhook(body, authorization);
    } catch (error) {
      if (!(error instanceof WebhookRefusedError)) throw error;
      throw new HttpException({ error: 'webhook_refused', message: error.message }, error.status);
    }
  }
}
