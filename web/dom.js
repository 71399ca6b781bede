// Elements and texts. What the server says becomes text, never markup.
export function el(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (key === 'class') node.className = value;
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat(2).filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);
export const number = (value, places = 2) =>
  value === null || value === undefined ? '–'
    : value.toLocaleString('en', { minimumFractionDigits: places, maximumFractionDigits: places });
export const exact = (value) =>
  value === null || value === undefined ? '–' : value.toLocaleString('en', { maximumSignificantDigits: 8 });
export const percent = (value) => (value === null || value === undefined ? '–' : `${number(value)} %`);
export const signed = (value) => (value > 0 ? '+' : '') + number(value);
export const tone = (value) => (value > 0 ? 'good' : value < 0 ? 'bad' : '');
export const time = (text) => (text ? text.slice(0, 16).replace('T', ' ') : '–');
export function age(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

export function problem(err) {
  return el('div', { class: 'notice' }, el('p', {}, el('strong', {}, err.message)),
    err.context ? el('p', {}, err.context) : null,
    err.cause ? el('p', {}, err.cause) : null,
    err.remediation ? el('p', {}, `What to do: ${err.remediation}`) : null,
    err.error_code ? el('p', { class: 'dim' },
      el('a', { href: `/docs#${err.error_code}`, target: '_blank', rel: 'noopener' }, err.error_code)) : null);
}

// columns: { name, num, wide, of: row => text or node }; more: row => a node below it, over all columns
export function table(caption, columns, rows, empty, more = () => null) {
  if (rows.length === 0) return el('div', {}, el('h2', {}, caption), el('p', { class: 'dim' }, empty));
  const classes = (c) => [c.num ? 'num' : '', c.wide ? 'wide' : ''].join(' ').trim() || undefined;
  return el('table', {}, el('caption', {}, caption),
    el('thead', {}, el('tr', {}, columns.map((c) => el('th', { scope: 'col', class: classes(c) }, c.name)))),
    el('tbody', {}, rows.map((row) => {
      const below = more(row);
      return [el('tr', {}, columns.map((c) => el('td', { class: classes(c) }, c.of(row)))),
        below ? el('tr', { hidden: below.hidden }, el('td', { colspan: String(columns.length) }, below)) : null];
    })));
}

export const small = (first, second) => [document.createTextNode(first), el('small', {}, second)];
export const card = (...children) => el('section', { class: 'card' }, ...children);
