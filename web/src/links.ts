import { byId, make, setText } from './dom';
import type { Presentation } from './players/player';

/** The links of the presentation, to copy into another player. */
export class Links {
  readonly #fields = { hls: field('HLS'), dash: field('DASH') };

  constructor() {
    byId('links').append(this.#fields.hls.row, this.#fields.dash.row);
  }

  show(presentation: Presentation | null): void {
    byId('links').hidden = presentation === null;
    for (const kind of ['hls', 'dash'] as const) this.#fields[kind].input.value = presentation?.[kind] ?? '';
  }
}

function field(label: string) {
  const input = make('input', { readonly: '', spellcheck: 'false', 'aria-label': `${label} link` });
  const button = make('button', { type: 'button', class: 'chip', 'aria-label': `Copy the ${label} link` }, 'Copy');
  const said = make('span', { class: 'hidden', role: 'status' });
  input.addEventListener('focus', () => input.select());
  button.addEventListener('click', async () => {
    const copied = await copy(input);
    setText(button, copied ? 'Copied' : 'Press Ctrl+C');
    setText(said, copied ? `${label} link copied` : 'The link is selected, copy it with Control C');
    setTimeout(() => {
      setText(button, 'Copy');
      setText(said, '');
    }, 2000);
  });
  return { input, row: make('div', { class: 'link' }, make('span', { 'aria-hidden': 'true' }, label), input, button, said) };
}

/** The clipboard exists only on https and localhost; elsewhere the link is selected and copied the old way. */
async function copy(input: HTMLInputElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(input.value);
    return true;
  } catch {
    input.select();
    return document.execCommand('copy');
  }
}
