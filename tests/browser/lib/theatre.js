import { after, before } from 'node:test';
import { launchBrowser } from './browser.js';
import { startPlayerHost } from './player-host.js';
import { Audience } from './players.js';

/** A browser and what bare players are loaded from, for all tests of a file that start servers of their own. */
export class Theatre {
  #host;
  #browser;

  constructor() {
    before(async () => {
      this.#host = await startPlayerHost();
      this.#browser = await launchBrowser();
    }, { timeout: 60_000 });
    after(async () => {
      await this.#browser?.close();
      this.#host?.stop();
    });
  }

  /** Players on the presentation below `base`, as `Audience.seat` has them, which leave when the test ends. */
  async seat(t, base, names, ...settings) {
    const audience = await Audience.seat(this.#browser, this.#host.url, base, names, ...settings);
    t.after(() => audience.leave());
    return audience;
  }
}
