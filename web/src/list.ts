import type { Catalog } from './api';
import { byId, make } from './dom';
import { type Route, routeHash, routeTo } from './route';
import { stateWords, type Tone } from './words';

/** The list of channels and files. */
export class List {
  readonly #root = byId('list');
  #drawn = '';

  /** Draws the list, if it changed. */
  show(catalog: Catalog | null, current: Route | null): void {
    const key = JSON.stringify([catalog, current]);
    if (key === this.#drawn || !catalog) return;
    this.#drawn = key;
    const focused = document.activeElement instanceof HTMLAnchorElement ? document.activeElement.hash : null;
    const sections = [
      section('Live', catalog.channels.map(({ name, state }) => entry('live', name, stateWords(state), current))),
      section('Files', catalog.assets.map((name) => entry('vod', name, { label: 'File', tone: 'quiet' }, current))),
    ].filter((drawn) => drawn !== null);
    this.#root.replaceChildren(...(sections.length ? sections : [make('p', { class: 'empty' }, 'No channel is configured yet.')]));
    if (focused) this.#root.querySelector<HTMLAnchorElement>(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }
}

function section(title: string, entries: HTMLElement[]): HTMLElement | null {
  return entries.length ? make('section', {}, make('h3', {}, title), make('ul', {}, ...entries)) : null;
}

function entry(kind: Route['kind'], name: string, { label, tone }: { label: string; tone: Tone }, current: Route | null): HTMLElement {
  const here = current?.kind === kind && current.name === name;
  const link = make(
    'a',
    { href: routeHash(routeTo(kind, name)), ...(here ? { 'aria-current': 'page' } : {}) },
    make('span', { class: 'name' }, name),
    make('span', { class: 'mark', 'data-tone': tone }, label),
  );
  return make('li', {}, link);
}
