// Takes events from outside: GitHub's webhooks at /github, Slack's slash commands at /slack, alerts at /alert.
//
//   CHIDORI_WEBHOOKS=agents/data/webhooks/paths.json CHIDORI_POLICY_FILE=agents/policies/webhook.json \
//     GITHUB_WEBHOOK_SECRET=… SLACK_SIGNING_SECRET=… ALERT_TOKEN=… chidori serve agents/webhook.ts
//
// Every request is a session: listed, and after a failure replayable from its checkpoint. The tokens that are sent
// (GITHUB_TOKEN, SLACK_BOT_TOKEN, PAGER_ROUTING_KEY) stay placeholders here, and the policy says to which hosts they may
// go, whatever addresses a payload holds; it also lets a person approve what is written to GitHub. Where the services are is no secret and is read as it stands: SLACK_API_URL
// (https://slack.com/api), PROMETHEUS_URL, ALERTMANAGER_URL, DEPLOYS_URL, PAGER_URL (https://events.pagerduty.com).
import type { Chidori, HttpResponse } from "chidori";

interface Event {
  method: string;
  path: string;
  headers: Record<string, string>;
  query: Record<string, string>;
  body: unknown;
  /** The body's bytes in base64. */
  raw: string;
}

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body: unknown;
}

export async function agent({ event }: { event: Event }, chidori: Chidori): Promise<Answer> {
  switch (event.path) {
    case "/github":
      return handleGitHub(event, chidori);
    case "/slack":
      return handleSlack(event.body as SlackBody, chidori);
    case "/alert":
      return handleAlert(event.body as AlertBody, chidori);
    default:
      return { status: 404, body: { error: `Unknown path: ${event.path}` } };
  }
}

// GitHub: https://docs.github.com/webhooks/webhook-events-and-payloads

interface PullRequest {
  number: number;
  title: string;
  diff_url: string;
  comments_url: string;
}

interface Issue {
  number: number;
  title: string;
  body: string | null;
  url: string;
}

interface GitHubBody {
  action?: string;
  pull_request?: PullRequest;
  issue?: Issue;
}

async function handleGitHub(event: Event, chidori: Chidori): Promise<Answer> {
  const name = event.headers["x-github-event"] ?? "";
  const body = event.body as GitHubBody;
  if (name === "pull_request" && body.action === "opened" && body.pull_request) {
    return reviewPullRequest(body.pull_request, chidori);
  }
  if (name === "issues" && body.action === "opened" && body.issue) {
    return triageIssue(body.issue, chidori);
  }
  return { status: 200, body: { ignored: name } };
}

async function reviewPullRequest(pull: PullRequest, chidori: Chidori): Promise<Answer> {
  const diff = await chidori.http<string>(pull.diff_url, { headers: { Accept: "application/vnd.github.v3.diff" } });
  succeeded("the diff", diff);
  const review = await chidori.prompt(
    "Review this pull request. Flag correctness, security, and style issues.\n\n" +
      `Title: ${pull.title}\n\nDiff:\n${diff.body}`,
    { maxTokens: 1000 },
  );
  await postToGitHub(pull.comments_url, { body: review }, chidori);
  return { status: 200, body: { reviewed: pull.number } };
}

async function triageIssue(issue: Issue, chidori: Chidori): Promise<Answer> {
  const classification = await chidori.prompt(
    "Classify this issue as 'bug', 'feature', 'question', or 'duplicate'. Respond with just the word.\n\n" +
      `Title: ${issue.title}\n\nBody:\n${issue.body ?? ""}`,
    { maxTokens: 20 },
  );
  await postToGitHub(`${issue.url}/labels`, { labels: [classification.trim().toLowerCase()] }, chidori);
  return { status: 200, body: { triaged: issue.number, label: classification } };
}

async function postToGitHub(url: string, body: object, chidori: Chidori): Promise<void> {
  const token = await chidori.env("GITHUB_TOKEN");
  const headers = { Authorization: `Bearer ${token}`, Accept: "application/vnd.github+json" };
  succeeded(url, await chidori.http(url, { method: "POST", headers, body }));
}

// Slack: https://docs.slack.dev/interactivity/implementing-slash-commands

interface SlackBody {
  /** Of the Events API: the request that proves to Slack that the URL is ours. */
  type?: string;
  challenge?: string;
  /** Of a slash command. */
  command?: string;
  text?: string;
  channel_id?: string;
  thread_ts?: string;
}

interface SlackMessages {
  ok: boolean;
  error?: string;
  messages?: { user?: string; text: string }[];
}

async function handleSlack(body: SlackBody, chidori: Chidori): Promise<Answer> {
  if (body.type === "url_verification") {
    return { status: 200, body: { challenge: body.challenge } };
  }
  if (body.command === "/summarize" && body.channel_id) {
    return summarizeThread(body.channel_id, body.thread_ts, chidori);
  }
  if (body.command === "/explain") {
    return { status: 200, body: { text: await chidori.prompt(`Explain like I'm 5:\n${body.text ?? ""}`) } };
  }
  return { status: 200, body: { text: `Unknown command: ${body.command ?? ""}` } };
}

/** A command that is typed outside of a thread has no `thread_ts`: then the channel's latest messages are meant. */
async function summarizeThread(channel: string, thread: string | undefined, chidori: Chidori): Promise<Answer> {
  const api = await chidori.env("SLACK_API_URL", { reveal: true });
  const token = await chidori.env("SLACK_BOT_TOKEN");
  const method = thread === undefined ? "conversations.history" : "conversations.replies";
  const found = await chidori.http<SlackMessages>(`${api}/${method}`, {
    headers: { Authorization: `Bearer ${token}` },
    query: { channel, ts: thread, limit: 50 },
  });
  succeeded(`Slack's ${method}`, found);
  if (!found.body.ok) {
    throw new Error(`Slack's ${method} answered: ${found.body.error}`);
  }
  // History comes with the newest message first, replies with the oldest.
  const messages = thread === undefined ? (found.body.messages ?? []).reverse() : (found.body.messages ?? []);
  const text = messages.map((message) => `${message.user ?? "somebody"}: ${message.text}`).join("\n");
  const summary = await chidori.prompt(`Summarize this Slack conversation in three bullets:\n\n${text}`);
  return { status: 200, body: { text: summary } };
}

// Alerts: Alertmanager's groups (their labels are in `commonLabels`), or an object with `severity` and `service`.

interface Labels {
  severity?: string;
  service?: string;
}

interface AlertBody extends Labels {
  commonLabels?: Labels;
}

async function handleAlert(alert: AlertBody, chidori: Chidori): Promise<Answer> {
  const { severity = "unknown", service = "unknown" } = alert.commonLabels ?? alert;
  const query = `rate(errors{service=${JSON.stringify(service)}}[5m])`;
  const [metrics, deploys, related] = await chidori.parallel([
    () => chidori.tool("prometheus_query", { query }),
    () => chidori.tool("recent_deploys", { service, hours: 2 }),
    () => chidori.tool("recent_alerts", { service, hours: 6 }),
  ]);
  const prompt = await chidori.template("prompts/alert.jinja", { alert, metrics, deploys, related });
  const diagnosis = await chidori.prompt(prompt, { maxTokens: 500 });
  if (severity === "critical") {
    await chidori.tool("page_oncall", { service, diagnosis });
  }
  return { status: 200, body: { diagnosis, severity } };
}

/** `chidori.http` gives error statuses as values; here they end the session, which can be looked at and retried. */
function succeeded(what: string, response: HttpResponse): void {
  if (response.status < 200 || response.status >= 300) {
    throw new Error(`${what}: ${response.error ?? `status ${response.status}: ${JSON.stringify(response.body)}`}`);
  }
}
