/**
 * The shapes of the front door's answers, as `/openapi.json` describes them. Import them by
 * `@import {SessionView} from "./types.js"` in a comment; nothing of this module is there at run time.
 *
 * Times: fields that end in `_ms` are milliseconds since 1970 (UTC); `created_at` and `updated_at` are RFC 3339 text.
 *
 * @typedef {unknown} Json Any JSON value: an agent, a model or a sender decided what it is. Read exactly (api.js), it may
 *   have a `RawJson` in the place of a number.
 *
 * @typedef {"running" | "completed" | "failed" | "cancelled" | "paused" | "awaitingapproval" | "interrupted"} RunStatus
 * @typedef {"running" | "waiting" | "done" | "failed" | "cancelled"} CallState
 *
 * @typedef {object} Branch How a run came from another one; `at_seq` is null for a replay.
 * @property {string} parent_run_id
 * @property {number | null} at_seq
 *
 * @typedef {object} SessionItem A run in the list of runs.
 * @property {string} id
 * @property {string} run_id
 * @property {RunStatus} status
 * @property {string | null} error
 * @property {string} created_at
 * @property {string} updated_at
 * @property {string | null} pending_prompt
 * @property {number} pending_count
 * @property {QuestionKind | null} pending_kind
 * @property {string | null} agent
 * @property {number} call_count
 * @property {boolean} live
 * @property {boolean} interrupted
 * @property {Branch | null} branch
 * @property {boolean} imported
 * @property {number | null} attempt_number
 *
 * @typedef {object} SessionPage
 * @property {SessionItem[]} sessions
 * @property {string | null} next_cursor
 * @property {string} version
 *
 * @typedef {"input" | "approval" | "in_doubt"} QuestionKind
 *
 * @typedef {object} Question
 * @property {number} seq
 * @property {string} path
 * @property {QuestionKind} kind
 * @property {string | null} prompt
 * @property {string[] | null} choices
 * @property {string | null} default
 * @property {Json} details
 * @property {string | null} target
 * @property {Json} args
 * @property {string | null} reason why the policy asks
 *
 * @typedef {object} Totals
 * @property {number} prompts
 * @property {number} input_tokens
 * @property {number} output_tokens
 * @property {number | null} cost_usd
 * @property {string} cost The cost in words, also when it is not known.
 *
 * @typedef {object} SessionView
 * @property {string} id
 * @property {string} run_id
 * @property {RunStatus} status
 * @property {Json} input
 * @property {Json} output
 * @property {string | null} error
 * @property {number} call_count
 * @property {number | null} pending_seq
 * @property {string | null} pending_prompt
 * @property {Json} pending_details
 * @property {{target: string, args: Json, reason: string | null} | null} pending_approval
 * @property {Question[]} pending
 * @property {string} created_at
 * @property {string} updated_at
 * @property {string[]} warnings
 * @property {string | null} agent
 * @property {boolean} live
 * @property {boolean} interrupted
 * @property {Branch | null} branch
 * @property {number} recorded_calls
 * @property {number} live_calls
 * @property {Totals} totals
 * @property {boolean} retriable It goes on, or makes the call again that ended it, without another source.
 * @property {boolean} source_available
 * @property {string} store
 * @property {string | null} agent_path
 * @property {string | null} policy_profile
 *
 * @typedef {object} Bar One call on the timeline.
 * @property {number} seq
 * @property {string} path
 * @property {string} function
 * @property {string} label
 * @property {CallState} state
 * @property {boolean} recorded
 * @property {number} begin_ms
 * @property {number | null} end_ms
 * @property {number} wait_ms
 * @property {number} row
 * @property {boolean} open_question
 *
 * @typedef {object} MergedBar Calls that are closer to each other than one pixel.
 * @property {number} merged
 * @property {number} first_seq
 * @property {number} last_seq
 * @property {CallState} state
 * @property {boolean} recorded all of them
 * @property {number} begin_ms
 * @property {number | null} end_ms
 * @property {number} row
 *
 * @typedef {object} Lane
 * @property {string} path
 * @property {"root" | "branch" | "sub_agent" | "tool"} kind
 * @property {string} name
 * @property {number} depth
 * @property {string | null} parent_path
 * @property {number | null} parent_seq
 * @property {number} index
 * @property {CallState} state
 * @property {number} begin_ms
 * @property {number | null} end_ms
 * @property {number} call_count
 * @property {(Bar | MergedBar)[]} bars
 *
 * @typedef {object} TimelineView
 * @property {string} version
 * @property {false} unchanged
 * @property {RunStatus} status
 * @property {boolean} live
 * @property {number} started_ms
 * @property {number} now_ms
 * @property {number} lane_count
 * @property {number} call_count
 * @property {{running: number, waiting: number, done: number, failed: number, cancelled: number, recorded: number}} counts
 * @property {Lane[]} lanes
 *
 * @typedef {object} CallRow
 * @property {number} seq
 * @property {string} path
 * @property {string} actor
 * @property {string} function
 * @property {string} label
 * @property {CallState} state
 * @property {boolean} recorded
 * @property {number} begin_ms
 * @property {number | null} end_ms
 * @property {number} wait_ms
 * @property {number | null} parent_seq
 * @property {string | null} error
 * @property {string | null} model
 * @property {number | null} input_tokens
 * @property {number | null} output_tokens
 *
 * @typedef {object} CallPage
 * @property {CallRow[]} calls
 * @property {number} total
 * @property {number} offset
 * @property {string} version
 *
 * @typedef {object} CallError
 * @property {string} message
 * @property {string | null} name
 * @property {Json} data
 * @property {string | null} location
 * @property {string | null} source_line
 * @property {string | null} stack
 *
 * @typedef {object} Place
 * @property {string} path
 * @property {number} line
 * @property {number} column
 *
 * @typedef {object} SourceExcerpt
 * @property {string} path
 * @property {number} first_line
 * @property {string[]} lines
 * @property {number} line
 * @property {number} column
 *
 * @typedef {object} PromptDetail
 * @property {string | null} model
 * @property {{role: string, content: Json}[]} messages
 * @property {Json[] | null} tools
 * @property {{[key: string]: Json}} options
 * @property {string | null} answer
 * @property {Json[] | null} tool_calls
 * @property {string | null} stop_reason
 * @property {number | null} input_tokens
 * @property {number | null} output_tokens
 * @property {number | null} cost_usd
 * @property {string} cost
 * @property {string | null} provider
 *
 * @typedef {object} CallDetail
 * @property {number} seq
 * @property {string} path
 * @property {string} actor
 * @property {string} function
 * @property {number | null} parent_seq
 * @property {CallState} state
 * @property {boolean} recorded
 * @property {string | null} origin_run_id the run whose record it is; null: this one's
 * @property {string} label
 * @property {number} begin_ms
 * @property {number | null} end_ms
 * @property {number} began_ms as it was recorded; `begin_ms` is where the timeline has it
 * @property {number | null} duration_ms
 * @property {number} wait_ms
 * @property {number | null} attempt
 * @property {Json} args
 * @property {Json} result
 * @property {CallError | null} error
 * @property {boolean} edited
 * @property {string | null} note
 * @property {{args: boolean, result: boolean}} truncated
 * @property {PromptDetail | null} prompt
 * @property {{number: number, error: string | null, began_ms: number | null, duration_ms: number | null}[]} attempts
 * @property {{wait_ms: number, run_ms: number}} queue
 * @property {Place | null} place
 * @property {SourceExcerpt | null} source
 * @property {{lanes: string[], calls: number}} children
 * @property {Question | null} question
 * @property {{text: string, live: boolean} | null} stream
 *
 * @typedef {{function: string, args: Json}} AttemptedCall
 *
 * @typedef {object} Divergence
 * @property {number | null} seq
 * @property {string} message
 * @property {Place | null} place
 * @property {SourceExcerpt | null} source
 * @property {AttemptedCall | null} recorded
 * @property {AttemptedCall | null} attempted
 * @property {{path: string, recorded: Json, attempted: Json} | null} difference
 *
 * @typedef {object} Verification What `POST /sessions/{id}/verify` answers.
 * @property {"reached" | "completed" | "failed" | "record_ended" | "diverged"} status
 * @property {number} recorded
 * @property {number} live
 * @property {number | null} seq
 * @property {Json} output
 * @property {boolean | null} output_matches
 * @property {string | null} error
 * @property {{level: string, text: string}[]} printed
 * @property {Divergence | null} divergence
 *
 * @typedef {{seq: number, function: string, label: string}} CallName
 *
 * @typedef {object} BranchPreview
 * @property {number} at
 * @property {number} shared_calls
 * @property {CallName[]} in_flight
 * @property {{calls: number, functions: {[name: string]: number}, input_tokens: number, output_tokens: number, cost_usd: number | null, cost: string}} after
 * @property {CallName[]} side_effects
 * @property {string} origin_run_id
 * @property {"text" | "json" | "choice" | "array" | "none"} result_kind
 * @property {string[] | null} choices
 * @property {string} command
 *
 * @typedef {object} ForkNode
 * @property {string} id
 * @property {RunStatus | null} status
 * @property {string | null} agent
 * @property {string | null} created_at
 * @property {number | null} at_seq
 * @property {boolean} replay
 * @property {string | null} note
 * @property {number} call_count
 * @property {number} live_calls
 * @property {boolean} missing
 * @property {ForkNode[]} forks
 *
 * @typedef {{root: ForkNode, more?: boolean}} ForkTree
 *
 * @typedef {{op: " " | "-" | "+", text: string}} DiffLine
 *
 * @typedef {object} CompareRow
 * @property {string} path
 * @property {"shared" | "same" | "changed" | "left_only" | "right_only"} kind
 * @property {("function" | "args" | "result" | "error" | "state")[]} differs
 * @property {CallRow | null} left
 * @property {CallRow | null} right
 *
 * @typedef {object} Comparison
 * @property {SessionItem} left
 * @property {SessionItem} right
 * @property {number} shared
 * @property {{same: number, changed: number, left_only: number, right_only: number}} counts
 * @property {number} total
 * @property {number} offset
 * @property {CompareRow[]} rows
 * @property {{same: boolean, left: Json, right: Json, lines: DiffLine[], cut: boolean}} output `cut`: there would be more lines.
 *
 * @typedef {object} CallComparison
 * @property {CallDetail | null} left
 * @property {CallDetail | null} right
 * @property {DiffLine[]} args
 * @property {DiffLine[]} result
 * @property {boolean} cut There would be more lines.
 *
 * @typedef {{commands: {title: string, command: string}[]}} CommandList
 *
 * @typedef {object} ServerView
 * @property {string} version
 * @property {boolean} agents
 * @property {string} store
 * @property {boolean} read_only
 * @property {boolean} needs_key
 *
 * @typedef {{agents: {name: string, default: boolean}[]}} AgentList
 *
 * @typedef {object} Cancellation
 * @property {string} id
 * @property {string} status
 * @property {boolean} active
 * @property {number} attempt_number
 * @property {string} reason
 * @property {string | null} actor
 *
 * @typedef {object} StreamEvent One event of `GET /sessions/{id}/stream`; the shape of `data` goes by `event`.
 * @property {string} id
 * @property {"call" | "prompt_start" | "prompt_delta" | "prompt_end" | "done" | string} event
 * @property {any} data
 */

export {};
