// The command line, with completion, and the dialog that asks before a command runs.
import { act, newKey, picture } from './api.js';
import { byId, el, exact, percent, problem } from './dom.js';

const cell = (value) => {
  if (value === null || value === undefined) return '–';
  if (typeof value !== 'object') return String(value);
  if (value.unit === '%') return percent(value.value);
  if (value.type === 'time') return String(value.value).slice(0, 16).replace('T', ' ');
  return `${typeof value.value === 'number' ? exact(value.value) : value.value}${value.unit ? ` ${value.unit}` : ''}`;
};
const words = (spans) => (spans ?? []).map(cell).join('');

// A picture is kept for a few minutes, and only while the dialog shows it.
let urls = [];
const forget = () => { urls.forEach((url) => URL.revokeObjectURL(url)); urls = []; };
function image(b, href) {
  const place = el('figure', {}, el('p', { class: 'dim' }, 'The picture is loading …'));
  picture(href).then((blob) => {
    if (!place.isConnected) return;
    urls.push(URL.createObjectURL(blob));
    place.replaceChildren(el('img', { src: urls.at(-1), alt: b.caption || b.name }));
  }, (err) => place.replaceChildren(problem(err)));
  return place;
}

function block(b, pictures = []) {
  const href = pictures.find((p) => p.id === b.id)?.href;
  switch (b.type) {
  case 'para': return el('p', {}, words(b.spans));
  case 'heading': return el('h3', {}, b.text);
  case 'pre': case 'quote': return el('pre', {}, b.text);
  case 'fields': return el('ul', {}, b.fields.map((f) => el('li', {}, `${f.name}: ${words(f.spans)}`)));
  case 'list': return el('ul', {}, b.items.map((item) => el('li', {}, words(item))));
  case 'table': return el('table', {},
    el('thead', {}, el('tr', {}, b.columns.map((c) => el(c ? 'th' : 'td', c ? { scope: 'col' } : {}, c)))),
    el('tbody', {}, b.rows.map((row) => el('tr', {}, row.map((c) => el('td', {}, cell(c)))))));
  case 'progress': return el('p', {}, `${Math.round(b.fraction * 100)} % ${b.text ?? ''}`);
  case 'fold': return el('details', {}, el('summary', {}, b.title), b.blocks.map((one) => block(one, pictures)));
  case 'link': return el('p', {}, `${b.text}: ${b.url}`);
  case 'image': return href ? image(b, href) : el('p', { class: 'dim' }, `${b.name}: run the command again to see it`);
  default: return el('p', { class: 'dim' }, `${b.name ?? b.type}: run the command in the chat to get it`);
  }
}
const blocks = (answer) => (answer.blocks ?? []).map((b) => block(b, answer.pictures));

function show(title, nodes, buttons) {
  const dialog = byId('dialog');
  forget();
  dialog.onclose = forget;
  dialog.replaceChildren(el('h2', { id: 'dialog-title' }, title), ...nodes, el('div', { class: 'buttons' }, buttons));
  dialog.oncancel = null;
  if (!dialog.open) dialog.showModal();
  return dialog;
}
const closer = (text = 'Close') => el('button', { type: 'button', onclick: () => byId('dialog').close() }, text);

function failed(err) {
  if (err.reply) { reply({ ...err.reply, error: err }); return; } /* with what the command has done */
  show('It did not work', [problem(err)], [closer()]).querySelector('button').focus();
}

// A run that is longer than a request: it is not over, so there is no reply.
function goesOn({ run: { id, command, state } }) {
  const close = () => byId('dialog').close();
  show(`${command}: ${state}`, [el('p', {}, `Run ${id} goes on without this page. `, el('a', { href: '#runs', onclick: close }, 'Runs'), ' shows its steps.')],
    [closer()]).querySelector('.buttons button').focus();
}

function reply(answer) {
  if (answer.status === 202 && answer.confirmation) { ask(answer); return; }
  if (answer.schema?.startsWith('nightdesk.run/')) { goesOn(answer); return; }
  const nodes = [...(answer.error ? [problem(answer.error)] : []), ...blocks(answer),
    answer.footer ? el('p', { class: 'dim' }, answer.footer) : null].filter(Boolean);
  const more = (answer.buttons ?? []).flat().filter((b) => b.command?.startsWith('/')).map((b) =>
    el('button', { type: 'button', onclick: () => run(b.command) }, b.text));
  show(answer.title || 'Done', nodes, [closer(), ...more]).querySelector('.buttons button').focus();
}

// The stage says what the prompt waits for: a yes, a code, or another person.
function ask(answer, wrong = null) {
  const path = `confirmations/${encodeURIComponent(answer.confirmation.token)}`;
  const key = newKey();
  const stage = answer.data?.stage;
  const otp = el('input', { id: 'otp', autocomplete: 'one-time-code', autocapitalize: 'characters', maxlength: '11', required: true });
  let sent = false;
  const decide = async (method) => {
    if (sent || (method === 'POST' && stage === 'code' && !otp.reportValidity())) return;
    sent = true;
    for (const b of dialog.querySelectorAll('button')) b.disabled = true;
    try {
      const body = stage === 'code' ? { otp: otp.value.trim() } : {};
      reply(method === 'POST' ? await act(method, path, body, key) : await act(method, path));
    } catch (err) {
      if (err.error_code === 'ACCESS_FACTOR_WRONG') ask(answer, err);
      else failed(err);
    }
  };
  const cancel = el('button', { type: 'button', id: 'cancel', onclick: () => decide('DELETE') }, 'Cancel');
  const confirm = el('button', { type: 'button', id: 'confirm', class: 'danger', onclick: () => decide('POST') }, 'Confirm');
  const code = el('form', { onsubmit: (event) => { event.preventDefault(); decide('POST'); } },
    el('label', { for: 'otp' }, 'Six digits of your authenticator app, or a recovery code '), otp);
  const dialog = show(answer.title || 'Are you sure?', [...blocks(answer),
    wrong ? el('div', { role: 'alert' }, problem(wrong)) : null,
    stage === 'code' ? code : null].filter(Boolean), stage === 'approve' ? [cancel] : [cancel, confirm]);
  dialog.oncancel = (event) => { event.preventDefault(); decide('DELETE'); };
  (stage === 'code' ? otp : cancel).focus();
}

const underWay = new Set();
async function send(line, key) {
  const [, name, args] = /^\/?(\S+)\s*(.*)$/.exec(line.trim()) ?? [];
  if (!name || underWay.has(key)) return;
  underWay.add(key);
  try {
    reply(await act('POST', `commands/${encodeURIComponent(name)}`, args ? { args } : {}, newKey()));
  } catch (err) {
    failed(err);
  } finally {
    underWay.delete(key);
  }
}
const run = (line) => send(line, 'a command');
// What another command may wait for, such as the approval of its middle.
export const answer = (line) => send(line, line);

export function commandLine(place) {
  let items = [], from = 0, at = -1, asked = 0;
  const hints = el('ul', { id: 'hints', role: 'listbox', 'aria-label': 'Completions', hidden: true });
  const input = el('input', { id: 'line', type: 'text', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
    role: 'combobox', 'aria-label': 'Command', 'aria-controls': 'hints', 'aria-expanded': 'false', 'aria-autocomplete': 'list',
    placeholder: 'a command, such as risk' });
  const close = () => { items = []; at = -1; hints.hidden = true; input.setAttribute('aria-expanded', 'false'); input.removeAttribute('aria-activedescendant'); };
  const take = (item) => {
    const bytes = new TextEncoder().encode(input.value).slice(0, from);
    input.value = `${new TextDecoder().decode(bytes)}${item.text} `;
    close();
    input.focus();
  };
  const mark = () => {
    for (const [i, node] of [...hints.children].entries()) {
      node.setAttribute('aria-selected', String(i === at));
      if (i === at) { input.setAttribute('aria-activedescendant', node.id); node.scrollIntoView({ block: 'nearest' }); }
    }
  };
  const complete = async () => {
    const mine = ++asked;
    if (!input.value) { close(); return; }
    try {
      const answer = await act('POST', 'complete', { line: input.value });
      if (mine !== asked) return;
      items = answer.items;
      from = answer.from;
      at = -1;
      hints.replaceChildren(...items.map((item, i) => el('li', { id: `hint${i}`, role: 'option', 'aria-selected': 'false',
        onmousedown: (event) => { event.preventDefault(); take(item); } }, item.text, item.help ? el('small', {}, item.help) : null)));
      hints.hidden = items.length === 0;
      input.setAttribute('aria-expanded', String(items.length > 0));
    } catch {
      close();
    }
  };
  let timer = 0;
  input.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(complete, 120); });
  input.addEventListener('blur', close);
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') { close(); return; }
    if (items.length === 0) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      at = (at + (event.key === 'ArrowDown' ? 1 : items.length) + (at < 0 && event.key === 'ArrowUp' ? 1 : 0) - (event.key === 'ArrowUp' ? 1 : 0)) % items.length;
      mark();
      event.preventDefault();
    } else if (event.key === 'Enter' && at >= 0) {
      take(items[at]);
      event.preventDefault();
    }
  });
  place.replaceChildren(hints, el('form', { class: 'line', onsubmit: (event) => {
    event.preventDefault();
    clearTimeout(timer);
    asked++;
    close();
    const line = input.value;
    input.value = '';
    run(line);
  } }, input, el('button', { class: 'primary' }, 'Run')));
}
