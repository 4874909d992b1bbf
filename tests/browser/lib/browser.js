import { chromium } from 'playwright-core';
import { chromiumBinary } from './paths.js';

/** Starts Chromium with an empty profile, able to play without a click and without a GPU. */
export function launchBrowser() {
  return chromium.launch({
    executablePath: chromiumBinary(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--autoplay-policy=no-user-gesture-required',
      '--mute-audio',
      // Nothing but loopback, whatever a player would like to ask.
      '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
    ],
    timeout: 30_000,
  });
}
