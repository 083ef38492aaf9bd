/** Everything the page is made of. */

import "./components/json-view.js";
import "./components/toast.js";
import "./timeline/timeline.js";
import "./views/app.js";
import "./views/call.js";
import "./views/calls.js";
import "./views/commands.js";
import "./views/compare.js";
import "./views/edit.js";
import "./views/forks.js";
import "./views/questions.js";
import "./views/run.js";
import "./views/runs.js";
import "./views/verify.js";
