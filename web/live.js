// The stream: a WebSocket with a ticket, resumed where it was cut; Server-Sent Events if it never opens.
import { act, token } from './api.js';

const SILENT_MS = 60000;

export function live({ onText, onLine }) {
  let last = '', socket = null, stopped = false, tries = 0, failures = 0, since = Date.now(), heard = 0;
  let timer = 0;
  const up = () => { if (since !== 0) { since = 0; tries = 0; failures = 0; onLine(0); } };
  const down = () => { if (since === 0) { since = Date.now(); } onLine(since); };
  const read = (text) => {
    heard = Date.now();
    const message = JSON.parse(text);
    if (message.id) last = message.id;
    onText(message);
  };
  const again = () => {
    if (stopped) return;
    down();
    clearTimeout(timer);
    timer = setTimeout(open, Math.min(1000 * 2 ** tries++, 15000));
  };
  const cut = () => {
    const old = socket;
    if (since === 0) since = heard;
    socket = null; /* its end is no news any more */
    old?.close();
    again();
  };
  async function open() {
    if (stopped || !token()) return;
    let ticket;
    try {
      ({ ticket } = await act('POST', 'stream/ticket'));
    } catch {
      again();
      return;
    }
    if (stopped) return;
    const query = `topics=decisions,equity,state,alerts,findings,runs,services&ticket=${ticket}${
      last ? `&after=${encodeURIComponent(last)}` : ''}`;
    let opened = false;
    heard = Date.now();
    if (failures < 2) {
      const ws = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/api/v1/stream?${query}`);
      socket = ws;
      ws.onopen = () => { opened = true; up(); };
      ws.onmessage = (event) => read(event.data);
      ws.onclose = () => { if (ws === socket) { failures += opened ? 0 : 1; again(); } };
    } else {
      const events = new EventSource(`/api/v1/stream?${query}`);
      socket = events;
      events.onopen = up;
      events.onmessage = (event) => read(event.data);
      events.onerror = () => { events.close(); if (events === socket) again(); };
    }
  }
  const watch = setInterval(() => {
    if (since === 0 && Date.now() - heard > SILENT_MS) cut();
    if (since !== 0) onLine(since);
  }, 1000);
  open();
  // doubt: nightdesk did not answer a request; so the stream, which may be as dead, is opened again
  return { doubt() { if (since === 0) cut(); }, stop() { stopped = true; clearInterval(watch); clearTimeout(timer); socket?.close(); } };
}
