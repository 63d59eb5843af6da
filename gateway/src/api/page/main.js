// Asks the gateway every second and shows what it says.

const EVERY_MS = 1000;
const PATIENCE_MS = 8000;
const LIST = 40;
const DEVICES_A_PAGE = 500;
const DEVICE_PAGES = 4;

// The gateway's clock as last heard, to go on from.
const heard = { now: Date.now(), at: performance.now(), speed: 1, accepted: null };

function nowMs() {
  return heard.now + (performance.now() - heard.at) * heard.speed;
}

async function get(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS), headers: { accept: 'application/json' } });
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error?.message ?? answer.statusText), { status: answer.status });
  return body;
}

async function allDevices() {
  const devices = [];
  let after;
  for (let page = 0; page < DEVICE_PAGES; page += 1) {
    const query = new URLSearchParams({ limit: DEVICES_A_PAGE, ...(after && { after }) });
    const { items, next } = await get(`/api/v1/devices?${query}`);
    devices.push(...items);
    if (!next) return [devices, true];
    after = next;
  }
  return [devices, false];
}

function messagesPerSecond(overview) {
  const { accepted } = overview.messages;
  const seconds = (performance.now() - heard.at) / 1000;
  const rate = heard.accepted === null || accepted < heard.accepted ? 0 : Math.round((accepted - heard.accepted) / seconds);
  Object.assign(heard, { now: overview.now_ms, at: performance.now(), speed: overview.speed, accepted });
  return rate;
}

const list = (path) => get(`/api/v1/${path}?limit=${LIST}`).then(({ items }) => items);
const byId = ({ id }) => id;

async function refresh() {
  const [overview, [devices, complete], findings, repairs, orders, stock, rejects] = await Promise.all([
    get('/api/v1/overview'), allDevices(), list('findings'), list('repairs'), list('work-orders'),
    get('/api/v1/stock?limit=500').then(({ items }) => items), list('rejects'),
  ]);
  showCounts(overview, messagesPerSecond(overview));
  showDevices(devices, complete);
  syncList($('findings'), findings, byId, findingCard);
  syncList($('repairs'), repairs, byId, repairCard);
  syncList($('orders'), orders, byId, orderCard);
  syncList($('stock'), stock, ({ location, part }) => `${location} ${part}`, stockRow);
  syncList($('rejects'), rejects, ({ position, field }) => `${position} ${field}`, rejectRow);
  await refreshDevice();
}

function showLost(error) {
  $('lost').textContent = `${t('lost')} (${error.message})`;
  $('lost').hidden = false;
}

// The first answer tells the gateway's time, without which no history can be asked for.
let started = false;

async function poll() {
  if (!document.hidden) {
    try {
      await refresh();
      $('lost').hidden = true;
      if (!started) openFromAddress();
      started = true;
    } catch (error) {
      showLost(error);
    }
  }
  setTimeout(poll, EVERY_MS);
}

const THEMES = ['auto', 'light', 'dark'];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $('theme').textContent = t(`theme.${theme}`);
  try {
    localStorage.setItem('theme', theme);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

function storedTheme() {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem('theme')) ?? 'auto';
  } catch {
    return 'auto';
  }
}

for (const node of document.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
$('theme').addEventListener('click', () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]));
setTheme(storedTheme());

function openFromAddress() {
  const id = new URLSearchParams(location.hash.slice(1)).get('device');
  if (id && view?.id !== id) openDevice(id);
}

window.addEventListener('hashchange', openFromAddress);
poll();
