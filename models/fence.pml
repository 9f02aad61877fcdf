/*
 * Fence and seal, with the target and the takeover of the same promotion (safety S2, S3, S4, S17).
 *
 * Two promotions of one environment, one after another, want to change one target of kind `files`. Two workers claim,
 * take over, retry with a new fence, and record outcomes; each may pause anywhere for ever, which is also a crash. An
 * operation runs at the target as a process of its own, which goes on when its caller has died or given it up. An
 * operator may take the lock by force. Each transaction of the database is one atomic step.
 *
 * The target is modelled as packages/server/src/targets/files does it, step by step: pairs are names in a directory
 * (fence-log.ts), the lock spares work only and may be taken from a paused holder (apply-lock.ts), a switch is link,
 * look, rename (current-link.ts), a seal looks up what was done (look-up.ts).
 *
 *   S4 nothing older   after an acceptance or a seal was answered, no older operation switches
 *   S4 looked up       what a seal said of an operation stays true: it switched, or never will
 *   S4 revoked         after a forced release has sealed, the old holder's operations change nothing
 *   S4 rightful        the operation of the newest fence is never refused
 *   S3 claim           a worker without the claim writes nothing
 *   S17 counted once   an operation has one outcome
 *   S10 runs           when a promotion completes, its release is what runs, until another promotion has the lock
 *
 * Wrong models, each of which must fail: -DNO_FENCE_CHECK -DNO_LINK_REMOVAL -DLOOK_BEFORE_LINK -DNO_LOOK
 * -DREFUSED_EARLY -DSEAL_SKIPPED -DSEAL_FORGETS -DSAME_FENCE_RETRY -DFORCE_KEEPS_FENCE -DNO_CLAIM_CHECK -DOUTCOME_TWICE
 */

#define PROMOTIONS 2
#define WORKERS 2
/* Operations in all, the first number is 1. */
#ifndef OPS
#define OPS 3
#endif
/* Tries of one promotion at its target. */
#define TRIES 2
/* Takeovers in all. */
#ifndef TAKEOVERS
#define TAKEOVERS 2
#endif
#ifndef FORCES
#define FORCES 1
#endif
/* Commits in all whose answer is lost, so that the same is written again. */
#ifndef LOST_COMMITS
#define LOST_COMMITS 0
#endif

#define FAIL(property) printf("violated: %e\n", property); assert(false)

mtype = { open, good, unclear };
mtype = { s4_older, s4_looked_up, s4_revoked, s4_rightful, s3_claim, s17_counted, s10_runs };

/* ---- the database ---- */
byte lastFence = 0;
byte lastOp = 0;
byte takeoversLeft = TAKEOVERS;
byte lostCommitsLeft = LOST_COMMITS;
byte holder = 0;                 /* promotion that has the environment's lock; 0: none */
byte completed = 0;              /* promotion that completed last and left the environment whole; 0: none */
bool ended[PROMOTIONS + 1];
byte epoch[PROMOTIONS + 1];      /* claims so far */
byte lockFence[PROMOTIONS + 1];
byte current[PROMOTIONS + 1];    /* its operation; 0: none yet */
byte tries[PROMOTIONS + 1];
byte opFence[OPS + 1];
byte opOwner[OPS + 1];
mtype opOutcome[OPS + 1];
byte opCounted[OPS + 1];

/* ---- the target ---- */
byte pairFence = 0;              /* the highest name */
byte pairOp = 0;                 /* 0: a seal */
byte acceptedFence = 0;          /* monitor: highest fence whose acceptance or seal is finished */
byte runs = 0;                   /* operation that switched last */
bool hasLink[OPS + 1];
bool hasSwitched[OPS + 1];
bool isRecorded[OPS + 1];
mtype answer[OPS + 1];           /* what the caller gets, if it still listens; 0: nothing yet */

/* ---- monitors ---- */
bool isDead[OPS + 1];            /* a seal said that it can change nothing any more */
bool isRevoked[PROMOTIONS + 1];  /* a forced release has sealed */

/* Claims a name after the highest; two callers never get the same. `ok` says whether the pair is stored. */
inline claimPair(fence, op) {
  atomic {
    if
#ifdef NO_FENCE_CHECK
    :: true -> pairFence = fence; pairOp = op; ok = true
#else
    :: fence > pairFence -> pairFence = fence; pairOp = op; ok = true
    :: fence == pairFence && pairOp == 0 -> pairOp = op; ok = true
    :: fence == pairFence && pairOp == op -> ok = true
    :: else -> ok = false
#endif
    fi
  }
}

/* Every pending link of an older operation goes; then the acceptance is finished. */
inline finishAcceptance(fence) {
  d_step {
    i = 1;
    do
    :: i > OPS -> break
    :: else ->
#ifndef NO_LINK_REMOVAL
      if
      :: hasLink[i] && opFence[i] < fence -> hasLink[i] = false
      :: else
      fi;
#endif
      i++
    od;
    i = 0;
    if
    :: fence > acceptedFence -> acceptedFence = fence
    :: else
    fi
  }
}

/* Who is refused finishes first what the newer pair has begun, which may be paused between its name and the links. */
inline refuse() {
#ifndef REFUSED_EARLY
  finishAcceptance(pairFence)
#else
  skip
#endif
}

proctype Operation(byte op) {
  bool ok;
  byte i = 0;

  claimPair(opFence[op], op);
  if
  :: !ok ->
    refuse();
    atomic {
      /* Refused: only what somebody newer has overtaken may be. */
      if
      :: opFence[op] == lockFence[opOwner[op]] && holder == opOwner[op] && opOutcome[op] == open &&
         pairFence <= opFence[op] -> FAIL(s4_rightful)
      :: else
      fi;
      answer[op] = unclear;
      goto over
    }
  :: ok
  fi;
  finishAcceptance(opFence[op]);
  /* The release is unpacked; the record says which tree belongs to the operation. */
#ifdef LOOK_BEFORE_LINK
  if
  :: pairFence == opFence[op] && pairOp == op
  :: else -> answer[op] = unclear; goto over
  fi;
  hasLink[op] = true;
#else
  hasLink[op] = true;
#ifndef NO_LOOK
  if
  :: pairFence == opFence[op] && pairOp == op
  :: else -> d_step { hasLink[op] = false; answer[op] = unclear }; goto over
  fi;
#endif
#endif
  atomic {
    /* The rename: the link is there, or somebody newer removed it. */
    if
    :: hasLink[op] ->
      hasLink[op] = false;
      if
      :: opFence[op] < acceptedFence -> FAIL(s4_older)
      :: isDead[op] -> FAIL(s4_looked_up)
      :: isRevoked[opOwner[op]] -> FAIL(s4_revoked)
      :: holder == 0 && completed != 0 -> FAIL(s10_runs)
      :: else
      fi;
      runs = op;
      hasSwitched[op] = true
    :: else -> answer[op] = unclear; goto over
    fi
  }
  d_step { isRecorded[op] = true; answer[op] = good }
over:
  skip
}

/* A seal by whoever holds `fence`: afterwards `found` says what became of operation `op`. */
inline seal(fence, op) {
  claimPair(fence, 0);
  if
  :: !ok -> refuse(); found = unclear
  :: ok ->
    finishAcceptance(fence);
    atomic {
      /* The record, or what runs: names of trees are used once. */
      found = (hasSwitched[op] && (isRecorded[op] || runs == op) -> good : unclear)
    }
  fi
}

/* Only the holder of the claim writes; anything else is late. */
inline mayWrite() {
#ifdef NO_CLAIM_CHECK
  if
  :: mine == epoch[p] && !ended[p] -> skip
  :: ended[p] -> goto idle
  :: else -> FAIL(s3_claim)
  fi
#else
  if
  :: mine == epoch[p] && !ended[p] -> skip
  :: else -> goto idle
  fi
#endif
}

inline record(op, outcome) {
  if
#ifdef OUTCOME_TWICE
  :: true ->
#else
  :: opOutcome[op] == open ->
#endif
    opOutcome[op] = outcome;
    opCounted[op]++;
    if
    :: opCounted[op] > 1 -> FAIL(s17_counted)
    :: else
    fi
#ifndef OUTCOME_TWICE
  :: else
#endif
  fi
}

inline openOperation() {
  lastOp++;
  tries[p]++;
#ifdef SAME_FENCE_RETRY
  if
  :: tries[p] == 1 -> lastFence++; lockFence[p] = lastFence
  :: else
  fi;
  opFence[lastOp] = lockFence[p];
#else
  lastFence++;
  opFence[lastOp] = lastFence;
  lockFence[p] = lastFence;
#endif
  opOwner[lastOp] = p;
  opOutcome[lastOp] = open;
  current[p] = lastOp
}

/* The promotion ends and gives its lock back. Without success nothing is said of what runs. */
inline finish(isGood) {
  ended[p] = true;
  holder = 0;
  completed = (isGood -> p : 0);
  if
  :: isGood && runs != current[p] -> FAIL(s10_runs)
  :: else
  fi
}

proctype Worker(bool isFirst) {
  byte p = 0;
  byte mine = 0;
  byte op = 0;
  bool ok = false;
  byte i = 0;
  mtype found = 0;

idle:
  atomic {
    d_step { p = 0; op = 0; mine = 0; ok = false; found = 0 };
    if
    /* Claims the next promotion and takes the free lock. Promotions are alike, and so are workers. */
    :: isFirst && holder == 0 && epoch[1] == 0 -> p = 1
    :: holder == 0 && lastOp < OPS && !ended[2] && epoch[2] == 0 && epoch[1] > 0 -> p = 2
    /* Takes over from a worker that only seems to be gone. */
    :: holder != 0 && takeoversLeft > 0 -> p = holder; takeoversLeft--
    :: ended[1] && (ended[2] || lastOp == OPS) && holder == 0 -> goto gone
    fi;
    epoch[p]++;
    mine = epoch[p];
    if
    :: holder == 0 -> holder = p; completed = 0; openOperation(); op = lastOp; goto perform
    :: else
    fi
  }
  atomic {
    mayWrite();
    /* A takeover draws a new fence for the lock; an open operation with an older one is an orphan. */
    lastFence++;
    lockFence[p] = lastFence
  }
work:
  if
  :: atomic { mine == epoch[p] && !ended[p] && opOutcome[current[p]] == open && opFence[current[p]] < lockFence[p] ->
      op = current[p] }
#ifndef SEAL_SKIPPED
    seal(lockFence[p], op);
#else
    found = unclear;
#endif
#ifdef SEAL_FORGETS
    found = unclear;
#endif
    atomic {
      mayWrite();
      record(op, found);
      if
      :: found == unclear && hasSwitched[op] -> FAIL(s4_looked_up)
      :: found == good && !hasSwitched[op] -> FAIL(s4_looked_up)
      :: found == unclear && !hasSwitched[op] -> isDead[op] = true
      :: else
      fi;
      d_step { found = 0; ok = false; op = 0 }
    }
  :: atomic { mine == epoch[p] && !ended[p] && opOutcome[current[p]] == good -> finish(true) }
    goto idle
  :: atomic { mine == epoch[p] && !ended[p] && opOutcome[current[p]] == unclear ->
      if
      :: tries[p] < TRIES && lastOp < OPS -> openOperation(); op = lastOp
      :: else -> finish(false); goto idle
      fi }
    goto perform
  :: atomic { mine != epoch[p] || ended[p] -> goto idle }
  fi;
  goto work;

perform:
  run Operation(op);
  /* It answers, or it is given up: the answer is lost, or the deadline passes while it goes on. */
  if
  :: answer[op] != 0 -> found = answer[op]
  :: found = unclear
  fi;
again:
  atomic {
    mayWrite();
    record(op, found);
    if
    :: lostCommitsLeft > 0 -> lostCommitsLeft--; goto again
    :: d_step { found = 0; op = 0 }
    fi
  }
  goto work;

gone:
  skip
}

/* `orch locks release --force`: the promotion fails, its claim is void, a newer fence seals the target. */
proctype Operator() {
  byte p;
  byte fence;
  byte i = 0;
  bool ok;
  mtype found;

  atomic {
    /* The first promotion, so that the second comes after it; one that has ended has no lock to take. */
    if
    :: holder == 1
    :: ended[1] -> goto nothing
    fi;
    p = holder;
    ended[p] = true;
    epoch[p]++;
    holder = 0;
    completed = 0;
#ifdef FORCE_KEEPS_FENCE
    fence = lockFence[p];
#else
    lastFence++;
    fence = lastFence;
#endif
  }
  seal(fence, 0);
  isRevoked[p] = true;
nothing:
  skip
}

init {
  atomic {
    run Worker(true);
    run Worker(false);
    if
    :: FORCES > 0 -> run Operator()
    :: else
    fi
  }
}
