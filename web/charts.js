// uPlot, loaded when the first chart is drawn; each chart has its figures as text beside it.
import { el } from './dom.js';

let loading = null;
function library() {
  loading ??= new Promise((resolve, reject) => {
    document.head.append(el('link', { rel: 'stylesheet', href: '/web/uplot.css' }));
    document.head.append(el('script', { src: '/web/uplot.js', onload: () => resolve(window.uPlot), onerror: reject }));
  });
  return loading;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const seconds = (text) => Date.parse(text) / 1000;

// UTC: hours within two days, else days.
function when(u, splits) {
  const days = u.scales.x.max - u.scales.x.min > 2 * 86400;
  return splits.map((at) => new Date(at * 1000).toISOString().slice(...(days ? [5, 10] : [11, 16])));
}

function options(holder, label, series, more = {}) {
  const axis = { stroke: colour('--dim'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
  return {
    width: Math.max(200, holder.clientWidth), height: 220, legend: { show: false }, cursor: { show: false },
    tzDate: (at) => window.uPlot.tzDate(new Date(at * 1000), 'Etc/UTC'),
    scales: { x: { time: true } }, axes: [{ ...axis, values: when }, { ...axis, size: 64 }],
    series: [{}, ...series], ...more,
  };
}

async function draw(holder, label, make, data) {
  holder.setAttribute('role', 'img');
  holder.setAttribute('aria-label', label);
  const UPlot = await library();
  if (holder.isConnected) {
    const chart = new UPlot(make(UPlot), data, holder);
    new ResizeObserver(() => holder.isConnected && chart.setSize({ width: holder.clientWidth, height: 220 }))
      .observe(holder);
  }
}

// rows: of /equity, the newest first.
export function equity(holder, rows, label) {
  const data = [rows.map((r) => seconds(r.at)), rows.map((r) => r.equity)].map((list) => list.reverse());
  return draw(holder, label, () => options(holder, label, [{ stroke: colour('--link'), width: 2 }]), data);
}

export function drawdowns(rows) {
  let peak = -Infinity;
  return [...rows].reverse().map((r) => {
    peak = Math.max(peak, r.equity);
    return { at: r.at, percent: peak > 0 ? ((r.equity - peak) / peak) * 100 : 0 };
  });
}

export function drawdown(holder, rows, label) {
  const list = drawdowns(rows);
  const data = [list.map((r) => seconds(r.at)), list.map((r) => r.percent)];
  return draw(holder, label,
    () => options(holder, label, [{ stroke: colour('--bad'), width: 2, fill: `${colour('--bad')}33` }]), data);
}

function paint(u, rows, marks, stops) {
  const { ctx } = u;
  const x = (at) => u.valToPos(at, 'x', true), y = (price) => u.valToPos(price, 'y', true);
  const good = colour('--good'), bad = colour('--bad'), size = 5 * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  ctx.clip();
  const width = Math.max(1, (u.bbox.width / rows.length) * 0.6);
  for (const r of rows) {
    const middle = x(seconds(r.opened_at));
    ctx.fillStyle = r.close >= r.open ? good : bad;
    ctx.fillRect(middle - 0.5, y(r.high), 1, Math.max(1, y(r.low) - y(r.high)));
    ctx.fillRect(middle - width / 2, Math.min(y(r.open), y(r.close)), width, Math.max(1, Math.abs(y(r.open) - y(r.close))));
  }
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.strokeStyle = colour('--warn');
  ctx.setLineDash([6, 4]);
  for (const s of stops) {
    ctx.beginPath();
    ctx.moveTo(x(s.from), y(s.price));
    ctx.lineTo(x(s.to), y(s.price));
    ctx.stroke();
  }
  ctx.setLineDash([]);
  ctx.strokeStyle = ctx.fillStyle = colour('--text');
  for (const m of marks) {
    const mx = x(m.at), my = y(m.price), way = m.long ? 1 : -1;
    ctx.beginPath();
    if (m.entry) {
      ctx.moveTo(mx, my);
      ctx.lineTo(mx - size, my + way * size * 2);
      ctx.lineTo(mx + size, my + way * size * 2);
      ctx.fill();
    } else {
      ctx.moveTo(mx - size, my - size);
      ctx.lineTo(mx + size, my + size);
      ctx.moveTo(mx + size, my - size);
      ctx.lineTo(mx - size, my + size);
      ctx.stroke();
    }
  }
  ctx.restore();
}

// rows: of /candles; marks: { at, price, entry, long }; stops: { from, to, price }, seconds.
export function candles(holder, rows, marks, stops, label) {
  const list = [...rows].reverse();
  const data = [list.map((r) => seconds(r.opened_at)), list.map((r) => r.high), list.map((r) => r.low)];
  const begin = data[0][0], shown = stops.filter((s) => s.to >= begin).map((s) => s.price);
  const range = (u, low, high) => {
    const least = Math.min(low, ...shown), most = Math.max(high, ...shown), edge = (most - least) * 0.05 || most * 0.01;
    return [least - edge, most + edge];
  };
  const bare = { stroke: 'transparent', points: { show: false }, paths: () => null };
  return draw(holder, label, () => options(holder, label, [bare, bare],
    { scales: { x: { time: true }, y: { range } }, hooks: { draw: [(u) => paint(u, list, marks, stops)] } }), data);
}
export { seconds };
