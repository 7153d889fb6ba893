// The console's script: it keeps a picture of calls and seats from the events of the switch, and shows the page's part of it.
const $ = id => document.getElementById(id);
const words = JSON.parse($('words').textContent);
const t = (key, ...args) => (words[key] ?? key).replace(/\{(\d)\}/g, (_, i) => args[i] ?? '');
const {page, ref: pageRef, seat: mySeat} = document.body.dataset;
const csrf = document.querySelector('meta[name=csrf]').content;

const calls = new Map(), seats = new Map(), talkers = new Map();
let board = null, report = null, detail = null, story = [], lastRef = '', touched = Date.now(), skew = 0, pictured = false;

for (const kind of ['pointerdown', 'keydown']) addEventListener(kind, () => { touched = Date.now(); }, {passive: true});

// active: somebody sits here, talks, or the page is for the room: else a page that lies open keeps nobody signed in.
const active = () => page === 'wall' || Date.now() - touched < 60000 || seats.get(mySeat)?.call;

async function ask(path, options = {}) {
  const headers = {...options.headers};
  if (active()) headers['X-Active'] = '1';
  if (options.method) headers['X-CSRF-Token'] = csrf;
  const answer = await fetch(path, {...options, headers});
  if (answer.status === 401) { location.assign('/signin'); throw new Error('signed out'); }
  const at = Date.parse(answer.headers.get('Date') ?? '');
  if (at && Math.abs(Date.now() - at) > 2000) skew = Date.now() - at; else skew = 0;
  return answer;
}
const json = async path => (await ask(path)).json();

// node makes an element; text never becomes markup.
function node(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (k === 'class') e.className = v; else if (k.startsWith('on')) e[k] = v; else if (v !== undefined) e.setAttribute(k, v);
  }
  e.append(...children.filter(c => c !== null && c !== undefined && c !== ''));
  return e;
}
const tag = (state, text) => node('span', {class: 'tag ' + state}, text ?? t(state));
const since = at => Math.max(0, Math.floor((Date.now() - skew - Date.parse(at)) / 1000));
const clock = s => s >= 3600 ? `${Math.floor(s / 3600)}:${String(Math.floor(s / 60) % 60).padStart(2, '0')}:${String(s % 60).padStart(2, '0')}`
  : `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
const timed = at => node('span', {class: 'num', 'data-since': at}, clock(since(at)));
const hour = at => new Date(at).toLocaleTimeString(document.documentElement.lang, {hour12: false});
const split = s => s ? s.split(',') : [];

// ---- the picture ----

async function load() {
  const [list, chairs] = await Promise.all([json('/v1/calls'), json('/v1/seats')]);
  calls.clear(); seats.clear(); pictured = true;
  for (const c of list) calls.set(c.id, c);
  for (const s of chairs) seats.set(s.user, s);
  await recall();
}

// ofMissed are entries of a missed call, which is no matter.
const ofMissed = ['missed', 'missed_again', 'called_back', 'reached'];

const handlers = {
  state(e) {
    const old = calls.get(e.call_ref) ?? {};
    calls.set(e.call_ref, {...old, id: e.call_ref, since: e.call_at, caller: e.caller, dialed: e.dialed, hotline: e.hotline, phase: e.phase,
      desk: e.desk, partner: e.partner, ringing: split(e.ringing), lines: split(e.lines), stub: e.stub_id ?? old.stub, changed: e.at});
  },
  ended(e) { calls.delete(e.call_ref); talkers.delete(e.call_ref); },
  gone(e) { calls.delete(e.call_ref); talkers.delete(e.call_ref); },
  seat(e) { seats.set(e.user, {...seats.get(e.user), user: e.user, name: e.name, hotline: e.hotline, state: e.state, call: e.call, since: e.at, agent_state: e.agent_state, reason: e.reason, switch: e.switch}); },
  stub(e) { const c = calls.get(e.call_ref); if (c && !ofMissed.includes(e.detail)) c.stub = e.stub_id; },
  supervisor(e) {
    const c = calls.get(e.call_ref);
    if (!c || e.detail === 'take_back') return;
    c.supervisors = (c.supervisors ?? []).filter(s => s.user !== e.agent);
    if (['listen', 'whisper', 'join'].includes(e.detail)) c.supervisors.push({user: e.agent, act: e.detail, up: true});
  },
  talking(e) {
    const all = talkers.get(e.call_ref) ?? new Set();
    if (e.detail === 'on') all.add(e.agent ?? ''); else all.delete(e.agent ?? '');
    talkers.set(e.call_ref, all);
  },
};
const told = ['arrived', 'queued', 'ringing', 'answered', 'key', 'refused', 'already', 'cut_short', 'callback', 'partner_answered', 'joined', 'picked_up', 'overflow',
  'outside', 'recording', 'three_way_ended', 'supervisor_refused'];

let waiting = null; // events that come while the picture is read
function take(e) {
  if (waiting) { waiting.push(e); return; }
  handlers[e.event]?.(e);
  note(e);
  draw();
}

function connect() {
  const from = new EventSource('/v1/events');
  from.addEventListener('hello', async m => {
    live(true);
    if (JSON.parse(m.data).resumed === '1') return;
    waiting = [];
    try { await load(); } catch { live(false); }
    const late = waiting; waiting = null;
    late.forEach(take);
    draw();
  });
  for (const name of [...Object.keys(handlers), ...told]) from.addEventListener(name, m => take(JSON.parse(m.data)));
  from.onerror = () => {
    live(false);
    if (from.readyState === EventSource.CLOSED) {
      setTimeout(async () => { try { await ask('/v1/seats'); } catch { /* says so itself */ } connect(); }, 1000);
    }
  };
}

function live(on) {
  const e = $('link');
  if (!e) return;
  e.dataset.state = on ? 'on' : 'off';
  e.textContent = on ? '● ' + t('live') : '○ ' + t('lost');
}

// ---- what has happened to a call, in words ----

const causes = {no_answer: 1, busy: 1, failed: 1, abandoned: 1, answered: 1};
function tell(e) {
  const verb = t('v_' + (e.detail ?? '').split(' ')[0]);
  if (e.event === 'stub') return t('s_' + e.detail, '', '', '', e.from, e.to, causes[e.result] ? t(e.result) : e.result, e.owner);
  const key = 'e_' + e.event;
  if (!(key in words)) return '';
  if (e.event === 'refused') {
    const [name, code] = e.detail.split(' ');
    return t(key, '', verb) + ('n_' + name in words ? t('colon') + t('n_' + name, code) : '');
  }
  const first = {arrived: e.dialed, queued: e.detail}[e.event] ?? e.agent ?? '';
  return t(key, first, e.event === 'ringing' ? e.detail : verb, t('x_' + e.detail) === 'x_' + e.detail ? e.detail : t('x_' + e.detail));
}
const bad = e => e.event === 'refused' || e.event === 'supervisor_refused' || e.event === 'cut_short' || e.event === 'stub' && (e.detail === 'failed' || e.detail === 'abandoned');
const line = e => node('li', {class: bad(e) ? 'bad' : ''}, node('time', {}, hour(e.at)), node('span', {}, tell(e)));

function note(e) {
  remind(e);
  const mine = page === 'call' ? e.call_ref === pageRef : page === 'desk' && e.call_ref && e.call_ref === myCall();
  if (mine && tell(e)) { story.push(e); story = story.slice(-60); }
  if (page === 'call' && mine) reladder();
  if (page !== 'desk' || !mine) return;
  if (e.event === 'refused' || e.event === 'already' || e.event === 'cut_short') {
    outcome = e.detail;
    say(tell(e), e.event !== 'already');
  }
  if (e.event === 'state') look();
}

// ---- drawing ----

let due = false;
function draw() {
  if (due) return;
  due = true;
  // Pages in the background get no frames.
  (document.hidden ? setTimeout : requestAnimationFrame)(() => { due = false; pages[page]?.(); });
}
setInterval(() => {
  for (const e of document.querySelectorAll('[data-since]')) e.textContent = clock(since(e.dataset.since));
  if (page === 'wall' || page === 'desk') draw();
}, 1000);

// fill puts children into an element unless they are there already: what has the focus keeps it.
function fill(e, ...children) {
  const next = node('div', {}, ...children);
  if (e.innerHTML !== next.innerHTML) e.replaceChildren(...next.childNodes);
}

const speaks = (c, agent) => talkers.get(c.id)?.has(agent) && c.phase === 'three_way' ? 'speaks' : '';
const who = (c, agent) => agent ? node('span', {class: speaks(c, agent)}, agent, name(agent)) : '';
const name = agent => seats.get(agent)?.name ? ' ' + seats.get(agent).name : '';

const seatStates = ['talking', 'ringing', 'busy', 'free', 'after_call', 'not_ready', 'unregistered'];
// why says the reason of a seat that is not ready, and the switch of one that is busy by another.
const why = s => s.state === 'busy' ? ' · ' + (s.switch ?? '') : s.state === 'not_ready' && s.reason ? ' · ' + (words['r_' + s.reason] ?? s.reason) : '';
const standing = {free: 'idle', not_ready: 'resting', after_call: 'writing', ringing: 'rung', talking: 'with', busy: 'elsewhere'};

// ---- supervisors ----

const attends = ['supervisor', 'admin'].includes(document.body.dataset.role);

// acts are what a supervisor may do in a call, and who does already.
function acts(c) {
  const mine = c.supervisors?.find(s => s.user === mySeat);
  const over = ['handing_over', 'consulting', 'conferencing', 'three_way'].includes(c.phase) || c.phase === 'talking' && seats.get(c.desk)?.hotline !== c.hotline;
  const cannot = act => act === 'take_back' ? !over : act !== 'end' && !mySeat;
  const button = act => node('button', {type: 'button', 'data-act': act, 'data-id': c.id, 'aria-pressed': mine && mine.act === act ? 'true' : undefined,
    disabled: cannot(act) ? '' : undefined, class: act === 'end' ? 'cut' : '', 'aria-label': `${t('a_' + act)} ${c.caller || t('withheld')}`}, t('a_' + act));
  return node('div', {class: 'acts'}, ...['listen', 'whisper', 'join', 'take_back', ...mine ? ['leave'] : [], 'end'].map(button),
    node('span', {class: 'note'}, (c.supervisors ?? []).map(s => `${s.user} ${t('a_' + s.act)}${s.up ? '' : '…'}`).join(', ')));
}

async function attend(id, act) {
  const e = $('attended'), here = calls.get(id)?.supervisors?.some(s => s.user === mySeat);
  if (act === 'end' && !confirm(t('sureend', calls.get(id)?.caller || t('withheld')))) return;
  try {
    const answer = await ask(`/v1/calls/${id}/supervise/${act}`, {method: 'POST'}), text = (await answer.text()).trim();
    e.textContent = !answer.ok ? text : !here && ['listen', 'whisper', 'join'].includes(act) ? t('yourphone', mySeat) : `${t('a_' + act)}: ${t('done')}`;
    e.className = answer.ok ? 'note' : 'fault';
  } catch { e.textContent = t('offline'); e.className = 'fault'; }
}
if ($('attended')) {
  if (attends && !mySeat) $('attended').textContent = t('nophone');
  document.addEventListener('click', e => { const b = e.target.closest('button[data-act]'); if (b) attend(b.dataset.id, b.dataset.act); });
}

// papers are what there is of a call beside its messages: its matters and its recording.
function papers() {
  const each = (list, link) => [...new Set(list.filter(Boolean))].map(link);
  return [
    ...each(story.filter(e => e.event === 'stub' && !ofMissed.includes(e.detail)).map(e => e.stub_id),
      stub => node('a', {class: 'button', href: '/matters/' + stub}, `${t('matter')} ${stub}`)),
    ...each(story.map(e => e.recording_ref), ref => node('a', {class: 'button', href: '/v1/recordings/' + ref, download: ''}, t('recorded')))];
}

const pages = {
  calls() {
    const list = [...calls.values()].sort((a, b) => a.since < b.since ? -1 : 1);
    $('count').textContent = list.length ? t('callsnow', list.length) : t('nocalls');
    const link = ['supervisor', 'engineer', 'admin'].includes(document.body.dataset.role);
    fill($('calls'), ...list.map(c => node('tr', {'data-call': c.id},
      node('td', {}, timed(c.since)),
      node('td', {class: 'num'}, node('span', {class: speaks(c, '')}, link ? node('a', {href: '/calls/' + c.id}, c.caller || t('withheld')) : c.caller || t('withheld'))),
      node('td', {}, c.hotline), node('td', {}, tag(c.phase)), node('td', {}, who(c, c.desk)), node('td', {}, who(c, c.partner)),
      node('td', {}, (c.ringing ?? []).join(' ')), attends ? node('td', {}, acts(c)) : '')));
    fill($('seats'), ...[...seats.values()].sort((a, b) => a.user < b.user ? -1 : 1).map(s =>
      node('div', {class: 'seat', 'data-seat': s.user}, node('b', {}, s.user, s.name ? ' ' + s.name : ''), tag(s.state), why(s), ' ', timed(s.since))));
  },

  wall() {
    $('clock').textContent = new Date().toLocaleTimeString(document.documentElement.lang, {hour12: false});
    if (!board) return;
    fill($('warnings'), ...board.warnings.map(w => node('p', {class: 'fault'}, w)), board.stale ? node('p', {class: 'fault'}, t('stale')) : '');
    fill($('tiles'), ...board.lines.map(tile));
  },

  call() {
    const c = calls.get(pageRef);
    fill($('one'), ...c ? [node('p', {class: 'state'}, tag(c.phase), ' ', timed(c.since)), node('p', {class: 'who'}, c.caller || t('withheld')),
      node('p', {class: 'about'}, [c.hotline, c.desk, c.partner].filter(Boolean).join(' · '), ' ', node('span', {class: 'mono'}, c.id)), attends ? acts(c) : '']
      : [node('p', {class: 'state'}, tag('ended', story.length || document.querySelector('#ladder svg') ? undefined : t('nocall'))), node('span', {class: 'mono'}, pageRef)]);
    $('sniff').disabled = !c;
    fill($('papers'), ...attends ? papers() : []);
    fill($('story'), ...story.length ? story.map(line) : [node('li', {}, t('longago'))]);
  },

  desk() {
    if (!$('state')) return;
    const s = seats.get(mySeat), c = calls.get(s?.call), now = document.querySelector('.now');
    const rung = s?.state === 'ringing';
    now.className = 'card now' + (rung ? ' rung' : s?.state === 'talking' ? ' on' : '');
    const back = c?.phase === 'calling_back' && (rung ? 'takeback_rung' : 'takeback_call');
    fill($('state'), t(back || (standing[s?.state] ?? 'away')), s ? why(s) : '', ' · ' + mySeat);
    for (const b of document.querySelectorAll('#agent button')) {
      const is = b.dataset.agent === s?.agent_state && (b.dataset.reason ?? '') === (s.reason ?? '');
      b.setAttribute('aria-pressed', is);
    }
    fill($('who'), c ? detail?.id === c.id && detail.number || c.caller || t('withheld') : '');
    fill($('about'), ...c ? [c.hotline, ' · ', tag(c.phase), ' ', timed(c.since)] : ['']);
    fill($('step'), step(c));
    fill($('story'), ...story.slice(-12).reverse().map(line));
    for (const b of document.querySelectorAll('#verbs button')) b.disabled = s?.state !== 'talking';
    missed(s?.hotline);
    before(c?.id);
    const id = c?.stub ?? form.stub;
    $('stubid').textContent = id ?? '';
  },

  health() { if (report) health(report); },
};

// step says what goes on for the matter.
function step(c) {
  if (!c) return '';
  const others = (c.ringing ?? []).filter(a => a !== mySeat);
  if (c.phase !== 'ringing' && others.length) return t('theyring', others.map(a => a + name(a)).join(', '), since(story.findLast(e => e.event === 'ringing' && others.includes(e.agent))?.at ?? c.changed ?? c.since));
  const other = c.desk === mySeat ? c.partner : c.desk;
  return other ? t('theytalk', other + name(other)) : '';
}

function tile(l) {
  const here = [...seats.values()].filter(s => s.hotline === l.hotline);
  const count = state => here.filter(s => s.state === state).length;
  const mine = [...calls.values()].filter(c => c.hotline === l.hotline);
  const wait = mine.filter(c => c.phase === 'ringing');
  const longest = Math.max(0, ...wait.map(c => since(c.since)));
  const linking = [...calls.values()].filter(c => ['handing_over', 'consulting', 'conferencing', 'three_way'].includes(c.phase) && c.lines?.includes(l.hotline)).length;
  const gone = here.length > 0 && count('unregistered') + count('not_ready') === here.length;
  const mood = longest >= l.red || gone ? 'red' : longest >= l.amber ? 'amber' : '';
  const row = n => l.today?.indicators.find(r => r.name === n);
  const rate = r => r?.value === undefined ? '–' : (100 * r.value).toFixed(0) + ' %';
  const fact = (label, value, cls = '') => node('div', {}, node('dt', {}, label), node('dd', {class: cls}, String(value)));
  const bar = node('div', {class: 'bar', 'aria-hidden': 'true'}, ...seatStates.map(state => node('i', {class: state, 'data-n': count(state)})));
  return node('section', {class: 'tile ' + mood, 'data-line': l.hotline},
    node('h2', {}, l.hotline, node('small', {}, l.name === l.hotline ? '' : l.name)),
    gone ? node('p', {class: 'fault'}, t('nobody')) : '',
    node('dl', {class: 'big'}, fact(t('waiting'), wait.length, 'wait'), fact(t('longest'), wait.length ? clock(longest) : '–', 'wait'), fact(t('linking'), linking)),
    bar,
    node('p', {class: 'legend'}, ...seatStates.map(s => node('span', {}, t(s) + ' ', node('b', {}, String(count(s)))))),
    node('dl', {class: 'big mid'}, fact(t('calls'), row('calls')?.of ?? '–'), fact(t('in15'), rate(row('answered_in_15s'))), fact(t('diversion'), rate(row('diversion'))),
      fact(t('overdue'), row('overdue')?.of ?? '–')));
}
// Widths of bars are set here: a page has no styles of its own.
new MutationObserver(() => { for (const i of document.querySelectorAll('.bar i')) i.style.flex = i.dataset.n + ' 0 0'; })
  .observe(document.body, {childList: true, subtree: true});

// ---- the desk ----

const myCall = () => seats.get(mySeat)?.call || lastRef;

// recall reads what the page needs besides calls and seats.
async function recall() {
  if (page === 'call') { story = (await json(`/v1/calls/${pageRef}/story`)).filter(tell); reladder(); }
  if (page === 'desk') { remind({event: 'callback'}); await look(); }
}

let looking = '', earlier = {of: '', list: []};
// before shows what the caller has had done before.
function before(id) {
  const list = earlier.of === id ? earlier.list : [];
  $('earliercard').hidden = !list.length;
  $('earliercount').textContent = list.length || '';
  fill($('earlier'), ...list.map(m => node('li', {'data-stub': m.stub_id}, node('time', {}, new Date(m.opened_at).toLocaleDateString(document.documentElement.lang)),
    node('span', {}, m.title || m.category || m.stub_id, m.place ? node('small', {}, ' ' + m.place) : '', node('small', {}, ` ${m.from} → ${m.owner}`)),
    node('span', {class: 'tag ' + (m.overdue ? 'bad' : '')}, t('st_' + m.state)))));
}
async function look() {
  const id = seats.get(mySeat)?.call;
  if (!id) return;
  if (id !== lastRef) { lastRef = id; story = []; detail = null; form.begin(id); }
  const stamp = id + (calls.get(id)?.changed ?? '');
  if (looking === stamp) return;
  looking = stamp;
  const [a, b, past] = await Promise.all([ask('/v1/calls/' + id), ask(`/v1/calls/${id}/story`), earlier.of === id ? null : ask(`/v1/calls/${id}/earlier`)]);
  if (past?.ok) earlier = {of: id, list: await past.json()};
  if (a.ok) detail = await a.json();
  if (b.ok) story = (await b.json()).filter(tell);
  if (detail?.stub) form.stub = detail.stub;
  draw();
}

function say(text, wrong) { const e = $('result'); e.textContent = text; e.className = wrong ? 'fault' : 'note'; }

let outcome = ''; // the verb that was refused or done already; its event may overtake the answer to the press

async function press(verb) {
  const id = seats.get(mySeat)?.call;
  if (!id) return;
  outcome = '';
  say('…');
  try {
    const answer = await ask(`/v1/calls/${id}/verbs/${verb}?user=${encodeURIComponent(mySeat)}`, {method: 'POST'});
    const text = (await answer.text()).trim();
    if (!answer.ok || outcome !== verb) say(answer.ok ? `${t('v_' + verb)}: ${t('done')}` : text, !answer.ok);
  } catch { say(t('offline'), true); }
}

// ---- missed calls ----

let lost = [], asking = 0;
// remind reads the list when something may have become of it.
function remind(e) {
  if (!$('missed') || !(e.event === 'callback' || e.event === 'ended' || e.event === 'stub' && ofMissed.includes(e.detail))) return;
  clearTimeout(asking);
  asking = setTimeout(async () => { try { lost = await json('/v1/missed'); draw(); } catch { /* the link says so */ } }, 100);
}

// missed shows those of the line who wait to be called first, and the last that were.
function missed(line) {
  const mine = lost.filter(m => m.hotline === line), open = mine.filter(m => m.state === 'open' || m.state === 'calling');
  $('missedcard').hidden = !mine.length;
  $('missedcount').textContent = open.length || '';
  fill($('missed'), ...[...open, ...mine.filter(m => !open.includes(m)).slice(0, 5)].map(m => node('li', {'data-missed': m.id, class: m.state},
    node('time', {}, hour(m.last)), node('b', {class: 'num'}, m.caller || t('withheld')),
    node('span', {}, [m.count > 1 && t('m_times', m.count), t('m_' + m.reason), m.waited_seconds > 0 && t('m_waited', clock(m.waited_seconds)),
      m.tries > 0 && m.state === 'open' && t('m_tried', m.tries, t('m_' + m.result))].filter(Boolean).join(' · ')),
    tag(m.state, t('m_' + m.state, m.by)),
    m.state === 'open' && m.callable ? node('button', {type: 'button', 'data-call': m.id}, t('m_call')) : '')));
}

async function callBack(id) {
  const said = (text, wrong) => { $('missedsaid').textContent = text; $('missedsaid').className = wrong ? 'fault' : 'note'; };
  said('…');
  try {
    const answer = await ask(`/v1/missed/${id}/call?user=${encodeURIComponent(mySeat)}`, {method: 'POST'});
    said(answer.ok ? '' : (await answer.text()).trim(), !answer.ok);
  } catch { said(t('offline'), true); }
  remind({event: 'callback'});
}

// stand has the seat ready or not.
async function stand(b) {
  const said = (text, wrong) => { $('agentsaid').textContent = text; $('agentsaid').className = wrong ? 'fault' : 'note'; };
  said('…');
  try {
    const reason = b.dataset.reason ? '&reason=' + encodeURIComponent(b.dataset.reason) : '';
    const answer = await ask(`/v1/seats/${encodeURIComponent(mySeat)}/state?state=${b.dataset.agent}${reason}`, {method: 'POST'});
    said(answer.ok ? '' : (await answer.text()).trim(), !answer.ok);
  } catch { said(t('offline'), true); }
}

// form is the stub's: what is typed stays on the page, by call, and goes to the stub when there is one.
const form = {
  id: '', stub: undefined, sent: {}, timer: 0, busy: false,
  begin(id) {
    if (this.id) this.flush();
    this.id = id; this.stub = undefined;
    const kept = JSON.parse(sessionStorage.getItem('stub ' + id) ?? '{}');
    this.sent = kept.sent ?? {};
    this.stub = kept.stub;
    for (const e of $('stub').elements) if (e.name) e.value = kept.values?.[e.name] ?? '';
    this.state('');
  },
  values() { return Object.fromEntries([...$('stub').elements].filter(e => e.name).map(e => [e.name, e.value.trim().replace(/\s+/g, ' ')])); },
  keep() { if (this.id) sessionStorage.setItem('stub ' + this.id, JSON.stringify({values: this.values(), sent: this.sent, stub: this.stub})); },
  typed(wait) { this.keep(); clearTimeout(this.timer); this.timer = setTimeout(() => this.flush(), wait); if (this.id && !this.stub) this.state(t('draft')); },
  state(text, wrong) { const e = $('saved'); if (e) { e.textContent = text; e.className = wrong ? 'fault' : 'note'; } },
  async flush() {
    clearTimeout(this.timer);
    if (!$('stub') || this.busy) return;
    const now = this.values(), news = Object.fromEntries(Object.entries(now).filter(([k, v]) => v && v !== this.sent[k]));
    if (!Object.keys(news).length) return;
    if (!this.stub) { this.state(t('draft')); return; }
    this.busy = true; this.state(t('saving'));
    try {
      const answer = await ask('/v1/stubs/' + this.stub, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(news)});
      if (answer.ok) {
        Object.assign(this.sent, news); this.keep();
        const notice = (await answer.json()).notice;
        this.state(t('saved', hour(Date.now())) + (notice ? ' · ' + notice : ''));
      } else {
        this.state(t('unsaved', (await answer.text()).trim()), true);
        if (answer.status >= 500) this.timer = setTimeout(() => this.flush(), 5000);
      }
    } catch { this.state(t('offline'), true); this.timer = setTimeout(() => this.flush(), 5000); }
    this.busy = false;
  },
};

async function find() {
  const q = $('find').value.trim(), list = q ? (await json('/v1/categories?q=' + encodeURIComponent(q))).slice(0, 6) : [];
  fill($('found'), ...list.map(c => node('button', {type: 'button', 'data-code': c.code}, `${c.code} ${c.name}`,
    node('small', {}, [c.owner ? t('owner') + ' ' + c.owner : '', c.answer ? t('answer') + '：' + c.answer : ''].filter(Boolean).join(' · ')))),
    q && !list.length ? node('p', {class: 'note'}, t('nomatch')) : '');
}

if ($('stub')) {
  let wait = 0;
  $('verbs').addEventListener('click', e => { const b = e.target.closest('button'); if (b) press(b.dataset.verb); });
  $('agent').addEventListener('click', e => { const b = e.target.closest('button'); if (b) stand(b); });
  $('missed').addEventListener('click', e => { const b = e.target.closest('button'); if (b) callBack(b.dataset.call); });
  $('find').addEventListener('input', () => { clearTimeout(wait); wait = setTimeout(find, 200); });
  $('found').addEventListener('click', e => {
    const b = e.target.closest('button');
    if (!b) return;
    $('category').value = b.dataset.code;
    $('find').value = '';
    find();
    form.typed(0);
    $('stub').elements.title.focus();
  });
  $('stub').addEventListener('input', e => { if (e.target.name) form.typed(3000); });
  $('stub').addEventListener('change', e => { if (e.target.name) form.typed(0); });
  $('stub').addEventListener('submit', e => { e.preventDefault(); form.flush(); });
  handlers.stub = (plain => e => {
    plain(e);
    if (e.call_ref === myCall() && !form.stub && !ofMissed.includes(e.detail)) { form.stub = e.stub_id; form.keep(); form.flush(); }
  })(handlers.stub);
  handlers.seat = (plain => e => { plain(e); if (e.user === mySeat) look(); })(handlers.seat);
}

// ---- a call's messages ----

// reladder reads the ladder anew, soon after something has happened and once more when the last answers have come. What
// is open stays open, what has the focus keeps it.
let ladderDue = 0;
function reladder() {
  clearTimeout(ladderDue);
  ladderDue = setTimeout(async () => { await ladderNow(); ladderDue = setTimeout(ladderNow, 2000); }, 400);
}
async function ladderNow() {
  const e = $('ladder'), answer = await ask(`/calls/${encodeURIComponent(pageRef)}/ladder`);
  if (!answer.ok) return;
  const html = await answer.text(), next = document.createElement('template');
  next.innerHTML = html;
  if (e.dataset.html === html) return;
  const open = [...e.querySelectorAll('details[open]')].map(d => d.id);
  const at = document.activeElement, link = at?.getAttribute?.('href'), box = at?.closest?.('details')?.id, left = e.querySelector('.scroll')?.scrollLeft;
  e.replaceChildren(...next.content.childNodes);
  e.dataset.html = html;
  for (const id of open) $(id)?.setAttribute('open', '');
  if (e.querySelector('.scroll')) e.querySelector('.scroll').scrollLeft = left ?? 0;
  if (link?.startsWith('#m')) e.querySelector(`a[href="${link}"]`)?.focus({preventScroll: true});
  else if (box) $(box)?.querySelector(at.localName).focus({preventScroll: true});
}
// A click or Enter on an arrow opens its message.
$('ladder')?.addEventListener('click', event => {
  const id = event.target.closest('a[href^="#m"]')?.getAttribute('href').slice(1), d = id && $(id);
  if (!d) return;
  event.preventDefault();
  d.open = true;
  d.scrollIntoView({block: 'center'});
  d.querySelector('pre').focus({preventScroll: true}); // not what Enter would close again
});

// ---- the room, and health ----

async function poll(path, every, done) {
  try { done(await json(path)); } catch { /* the link says so */ }
  setTimeout(() => poll(path, every, done), every);
}
if (page === 'wall') poll('/v1/board', 5000, b => { board = b; draw(); });
if (page === 'health') poll('/v1/health', 5000, h => { report = h; draw(); });

function health(h) {
  const state = h.faults.length ? 'bad' : h.warnings.length ? 'warn' : '';
  const v = $('verdict');
  v.className = 'verdict ' + state;
  fill(v, state ? t(state) : t('allwell'), state ? node('ul', {}, ...[...h.faults, ...h.warnings].map(w => node('li', {}, w))) : '');
  const item = (label, ok, text) => node('li', {}, node('span', {}, label), tag(ok ? 'ok' : 'bad', text ?? t(ok ? 'up' : 'down')));
  const box = (title, list) => node('section', {class: 'card'}, node('h2', {}, title), list.length ? node('ul', {}, ...list) : node('p', {class: 'note'}, t('none')));
  fill($('health'),
    box('SIP', h.trunks.map(x => item(`${x.trunk} ${x.target}`, x.up))),
    box('Redis', h.stores.flatMap(s => [item(s.name || 'Redis', s.redis_up), item(t('outbox'), s.disk_up && s.free > 0.1, `${s.waiting} ${t('waitingIn')} · ${t('room', Math.floor(100 * s.free))}`)])),
    box(t('seats'), [...seats.values()].map(s => item(`${s.user} ${s.name ?? ''}`, s.state !== 'unregistered', t(s.state)))),
    box('TLS', h.certificates.map(c => item(c.network, Date.parse(c.expires) > Date.now() + 14 * 86400000, `${t('expires')} ${c.expires.slice(0, 10)}`))),
    box(t('selftest'), Object.entries(h.selftest ?? {}).map(([k, ok]) => item(k, ok))),
    configured(h.config, box),
    box('liandong', [item(h.process.version || 'worker', true, t('running', h.calls, h.process.restarts))]));
}
// configured shows what the switch goes by, and what the last reload has said.
function configured(c, box) {
  const when = at => new Date(at).toLocaleString(document.documentElement.lang, {hour12: false});
  const file = f => node('li', {class: 'file'}, node('span', {}, f.path), node('small', {}, `${t('changedAt')} ${when(f.changed)}`), f.sha256 ? node('small', {class: 'mono'}, 'SHA-256 ' + f.sha256) : '');
  const said = (r, lines) => node('li', {class: 'file'}, node('span', {}, tag(r.ok ? 'ok' : 'bad', t(r.ok ? 'taken' : 'nottaken')), ` ${t('reloadAt')} ${when(r.at)}`), ...lines.map(s => node('small', {}, s)));
  return box(t('config'), !c.files.length ? [] : [
    node('li', {}, node('span', {}, `${t('readAt')} ${when(c.read)}`), tag(c.same ? 'ok' : 'warn', t(c.same ? 'asread' : 'notasread'))),
    ...c.files.map(file), ...c.reload ? [said(c.reload, c.reload.says)] : []]);
}
if ($('reload')) $('reload').onclick = async () => {
  const answer = await ask('/v1/reload', {method: 'POST'}), text = (await answer.text()).trim();
  $('reloaded').textContent = answer.ok ? text || t('applied') : text;
  json('/v1/health').then(h => { report = h; draw(); });
};

// ---- curves ----

// draws makes a picture of each curve: a line for each name, with a table of the same figures behind it for who cannot
// see it.
function draws(into, list) {
  const css = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const colours = ['accent', 'red', 'good', 'ring', 'amber', 'fg'].map(css);
  const axis = {stroke: css('soft'), grid: {stroke: css('line'), width: 1}, ticks: {stroke: css('line'), width: 1}, font: '13px system-ui'};
  const unit = {'%': ' %', s: ' s', ms: ' ms'};
  into.replaceChildren(...list.map(c => {
    const shown = (v, u = unit[c.unit] ?? '') => v === null || v === undefined ? '–' : (Math.round(v * 100) / 100) + u;
    const timed = c.seconds, all = timed ?? c.at, at = i => timed ? clock(timed[i] ?? 0) : (c.at[i] ?? '').replace(/^.*T(\d\d)$/, '$1:00');
    const points = timed ?? all.map((_, i) => i);
    const seen = c.lines.some(l => l.values.some(v => v !== null));
    const box = node('figure', {class: 'card'}, node('figcaption', {}, c.title), seen ? '' : node('p', {class: 'note'}, t('nothing')));
    if (!seen) return box;
    const picture = node('div', {role: 'img', 'aria-label': c.title + ': ' + c.lines.map(l => l.name).join(', ')});
    const table = node('table', {}, node('thead', {}, node('tr', {}, node('th', {}, t('time')), ...c.lines.map(l => node('th', {class: 'n'}, l.name)))),
      node('tbody', {}, ...all.map((_, i) => node('tr', {}, node('th', {scope: 'row'}, at(i)), ...c.lines.map(l => node('td', {class: 'n'}, shown(l.values[i])))))));
    const names = node('p', {class: 'names'}, ...c.lines.map((l, i) => node('span', {'data-colour': i % colours.length}, l.name)));
    box.append(names, picture, node('details', {}, node('summary', {}, t('figures')), node('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': c.title}, table)));
    const make = () => {
      const wide = Math.max(260, picture.clientWidth);
      picture.replaceChildren();
      new uPlot({
        width: wide, height: 200, legend: {show: false}, cursor: {drag: {x: false, y: false}},
        scales: {x: {time: false, range: [points[0], Math.max(points.at(-1), points[0] + (timed ? 10 : 1))]}, y: {range: (_, low, high) => c.unit === '%' ? [0, timed ? Math.max(5, high * 1.1) : 100] : c.unit === 'mos' ? [1, 4.5] : [0, Math.max(1, high * 1.1)]}},
        axes: [{...axis, values: (_, ticks) => ticks.map(i => !Number.isInteger(i) ? '' : timed ? clock(i) : at(i).replace(/^\d{4}-/, ''))},
          {...axis, size: 66, values: (_, ticks) => ticks.map(v => shown(v))}],
        series: [{}, ...c.lines.map((l, i) => ({label: l.name, stroke: colours[i % colours.length], width: 2, dash: i ? [6, 3 * i] : undefined, points: {show: all.length < 40, size: 6}, spanGaps: false}))],
      }, [points, ...c.lines.map(l => l.values)], picture);
    };
    let wide = 0;
    new ResizeObserver(() => { if (picture.clientWidth && picture.clientWidth !== wide) { wide = picture.clientWidth; make(); } }).observe(picture);
    return box;
  }));
}
// The library is a script of its own, which has been read when the page is.
const drawing = list => document.readyState === 'complete' ? draws($('curves'), list) : addEventListener('load', () => draws($('curves'), list));

if ($('sniff')) $('sniff').onclick = async () => {
  const said = (text, ok) => { $('sniffed').textContent = text; $('sniffed').className = ok ? 'note' : 'fault'; };
  try {
    const answer = await ask(`/v1/calls/${pageRef}/rtp`, {method: 'POST'});
    said(answer.ok ? t('sniffs') : (await answer.text()).trim(), answer.ok);
  } catch { said(t('offline'), false); }
};

// A call's sound is drawn anew while the call goes on, and once more when it is over. Tables that are open stay open.
let soundWas = '';
async function sound() {
  const known = pictured;
  try {
    const answer = await ask(`/calls/${encodeURIComponent(pageRef)}/curves`), text = answer.ok ? await answer.text() : '[]';
    if (text !== soundWas) {
      soundWas = text;
      const open = [...$('curves').querySelectorAll('figure')].map(f => !!f.querySelector('details[open]'));
      draws($('curves'), JSON.parse(text));
      $('curves').querySelectorAll('details').forEach((d, i) => { d.open = !!open[i]; });
      $('silent').hidden = text.length > 4;
    }
  } catch { /* the link says so */ }
  if (!known || calls.has(pageRef)) setTimeout(sound, known ? 5000 : 1000);
}
if (page === 'call') addEventListener('load', sound);
if ($('drawn')) drawing(JSON.parse($('drawn').textContent) ?? []);

if (csrf) {
  if (['calls', 'wall', 'call', 'desk', 'health'].includes(page)) connect(); else live(true);
}
