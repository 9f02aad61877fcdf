/*
 * The life of promotions of one environment (safety S1, S3, S5; liveness L1, L2, L3, L4, L7): claims with their epoch, the
 * lease, the queue for the lock, wake-ups, cancellation, gates that open again, workers that die or stand still.
 *
 * Row locks and transactions are those of packages/server/src/store: a tick holds the promotion's row, then, where it
 * looks at the queue or the lock, the environment's row; it reads, then writes and commits in one step. What waits sleeps
 * for ever until somebody makes it due: the timers by which the engine looks again anyway are left out, so that a lost
 * wake-up is not made good by them.
 *
 *   S1 exclusion     the lock is taken only while nobody has it
 *   S3 claim         a worker without the claim, or declared dead, writes nothing
 *   S5 terminal      what has ended is never written again
 *   L1 next action   every live promotion is due, or a live worker has it, or it waits behind somebody
 *   L2 taken over    what a worker that was declared dead has is due
 *   L4 wake-up       when nobody has the lock, the first in the queue is due, or somebody looks at it
 *   L7 cancel        a cancelled promotion that nobody has is due
 *   L3 ends          once faults stop, every promotion ends (`ltl ends`, under weak fairness)
 *
 * Wrong models, each of which must fail: -DREAD_BEFORE_LOCK -DNO_CLAIM_CHECK -DBURIED_MAY_CLAIM -DBURIED_MAY_WRITE
 * -DWAKE_SKIPPED -DSKIPPED_FORGOTTEN -DREOPEN_WAKES_NOBODY -DCANCEL_NOT_DUE -DBURY_LEAVES_ASLEEP and,
 * of `ends`, -DNO_BURIAL -DKEEPS_LOCK_AT_END
 */

#ifndef PROMOTIONS
#define PROMOTIONS 3
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
/* Faults and acts of people in all. */
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef PAUSES
#define PAUSES 1
#endif
#ifndef CANCELS
#define CANCELS 1
#endif
#ifndef REOPENS
#define REOPENS 1
#endif

/* One that stood still may not know yet that it was declared dead. */
#ifdef BURIED_MAY_CLAIM
#define MAY_CLAIM(w) true
#else
#define MAY_CLAIM(w) (!isBuried[w])
#endif

#define FAIL(property) printf("violated: %e\n", property); assert(false)

mtype = { gates, queue, deploy, over };
mtype = { s1_exclusion, s3_claim, s5_terminal, l1_next_action, l2_taken_over, l4_wake_up, l7_cancel };

mtype step[PROMOTIONS + 1];
bool due[PROMOTIONS + 1];
byte owner[PROMOTIONS + 1];      /* worker that has the claim; 0: nobody */
byte epoch[PROMOTIONS + 1];
byte ticket[PROMOTIONS + 1];     /* place in the queue; 0: none */
bool isCancelled[PROMOTIONS + 1];
byte owedBy[PROMOTIONS + 1];     /* worker that could not wake it, for its row was held, and does so after its commit */
byte row[PROMOTIONS + 1];        /* transaction that holds the promotion's row; 0: nobody */
byte environmentRow = 0;
byte holder = 0;                 /* promotion that has the lock; 0: it is free */
byte lastTicket = 0;
byte endedCount = 0;

bool isGone[WORKERS + 1];        /* the process has died */
bool isBuried[WORKERS + 1];      /* the database says that it is dead */
byte crashesLeft = CRASHES;
byte pausesLeft = PAUSES;
byte cancelsLeft = CANCELS;
byte reopensLeft = REOPENS;
byte first;                      /* of `findFirst`; read in the same step only */
byte k;

/* Who is first in the queue; 0: it is empty. */
inline findFirst() {
  first = 0;
  k = 1;
  do
  :: k > PROMOTIONS -> break
  :: else ->
    if
    :: step[k] == queue && ticket[k] != 0 && (first == 0 || ticket[k] < ticket[first]) -> first = k
    :: else
    fi;
    k++
  od;
  k = 0
}

/* What must hold whenever a transaction has ended. Rows held by another transaction are judged at its end. */
inline check() {
  d_step {
  findFirst();
  if
  :: first != 0 && holder == 0 && row[first] == 0 && !due[first] && owner[first] == 0 &&
     (owedBy[first] == 0 || isBuried[owedBy[first]]) -> FAIL(l4_wake_up)
  :: else
  fi;
  k = 1;
  do
  :: k > PROMOTIONS -> break
  :: else ->
    if
    :: step[k] == over || row[k] != 0 || due[k] -> skip
    :: else ->
      if
      :: owner[k] != 0 && isBuried[owner[k]] -> FAIL(l2_taken_over)
      :: owner[k] == 0 && isCancelled[k] -> FAIL(l7_cancel)
      :: owner[k] == 0 && !(step[k] == queue && ticket[k] != 0 && (holder != 0 || first != k || owedBy[k] != 0)) ->
        FAIL(l1_next_action)
      :: else
      fi
    fi;
    k++
  od;
  k = 0;
  first = 0
  }
}

/*
 * Whoever sleeps in the queue is due. Rows that another transaction holds are skipped, for waiting with the environment's
 * row in hand could be a circle; that transaction may write nothing, so their wake-up is owed.
 */
inline wake() {
#ifndef WAKE_SKIPPED
  d_step {
  k = 1;
  do
  :: k > PROMOTIONS -> break
  :: else ->
    if
    :: step[k] == queue && owner[k] == 0 && row[k] == 0 -> due[k] = true
#ifndef SKIPPED_FORGOTTEN
    :: step[k] == queue && owner[k] == 0 && row[k] != 0 && k != p -> owedBy[k] = me
#endif
    :: else
    fi;
    k++
  od;
  k = 0
  }
#else
  skip
#endif
}

inline commit() {
  row[p] = 0;
  if
  :: environmentRow == me -> environmentRow = 0
  :: else
  fi;
  check()
}

inline end() {
  step[p] = over;
  ticket[p] = 0;
  owner[p] = 0;
  due[p] = false;
  endedCount++;
#ifndef KEEPS_LOCK_AT_END
  if
  :: holder == p -> holder = 0
  :: else
  fi;
#endif
  wake()
}

/* Takes the row; without the claim nothing is written. */
inline begin() {
  atomic { row[p] == 0 -> row[p] = me };
  atomic {
    if
#ifdef NO_CLAIM_CHECK
    :: true
#else
#ifdef BURIED_MAY_WRITE
    :: epoch[p] == mine && owner[p] == me
#else
    :: epoch[p] == mine && owner[p] == me && !isBuried[me]
#endif
    :: else -> row[p] = 0; goto lost
#endif
    fi;
    if
    :: step[p] == over -> FAIL(s5_terminal)
    :: epoch[p] != mine -> FAIL(s3_claim)
    :: else
    fi
  }
}

inline payDebts() {
  do
  :: atomic { owedBy[1] == me && row[1] == 0 -> wakeLate(1) }
#if PROMOTIONS > 1
  :: atomic { owedBy[2] == me && row[2] == 0 -> wakeLate(2) }
#endif
#if PROMOTIONS > 2
  :: atomic { owedBy[3] == me && row[3] == 0 -> wakeLate(3) }
#endif
  :: atomic { owedBy[1] != me && owedBy[2 % (PROMOTIONS + 1)] != me && owedBy[3 % (PROMOTIONS + 1)] != me -> break }
  od
}

inline wakeLate(q) {
  owedBy[q] = 0;
  if
  :: step[q] == queue && owner[q] == 0 -> due[q] = true
  :: else
  fi
}

proctype Worker(byte me) provided (!isGone[me]) {
  byte p = 0;
  byte mine = 0;
  byte seen = 0;

idle:
  payDebts();
  atomic {
    p = 0; mine = 0; seen = 0;
    if
    :: isBuried[me] || endedCount == PROMOTIONS -> goto stopped
    :: MAY_CLAIM(me) && due[1] && row[1] == 0 && (owner[1] == 0 || isBuried[owner[1]]) -> p = 1
#if PROMOTIONS > 1
    :: MAY_CLAIM(me) && due[2] && row[2] == 0 && (owner[2] == 0 || isBuried[owner[2]]) -> p = 2
#endif
#if PROMOTIONS > 2
    :: MAY_CLAIM(me) && due[3] && row[3] == 0 && (owner[3] == 0 || isBuried[owner[3]]) -> p = 3
#endif
    fi;
    owner[p] = me;
    epoch[p]++;
    mine = epoch[p];
    due[p] = false
  }
look:
  begin();
  if
  :: step[p] == gates ->
    atomic {
      if
      :: isCancelled[p] -> end(); commit(); goto idle
      :: else -> due[p] = false; commit()
      fi
    }
    /* A gate is asked; it answers, or somebody makes the promotion due meanwhile. */
    if
    :: skip
    :: atomic { due[p] && owner[p] == me && epoch[p] == mine -> goto look }
    :: atomic { (owner[p] != me || epoch[p] != mine) -> goto lost }
    fi;
    begin();
    goto ask
  :: step[p] == queue -> goto ask
  :: step[p] == deploy ->
    atomic { due[p] = false; commit() }
    goto perform
  :: step[p] == over -> atomic { commit(); goto lost }
  fi;

ask:
#ifdef READ_BEFORE_LOCK
  seen = holder;
  atomic { environmentRow == 0 -> environmentRow = me };
#else
  atomic { environmentRow == 0 -> environmentRow = me };
  seen = holder;
#endif
  atomic {
    if
    :: isCancelled[p] -> end(); commit(); goto idle
    :: !isCancelled[p] && reopensLeft > 0 && step[p] == queue ->
      /* A verdict has expired: back to the gates, without ticket. */
      reopensLeft--;
      step[p] = gates;
      due[p] = true;
      owner[p] = 0;
      if
      :: ticket[p] != 0 ->
        ticket[p] = 0;
#ifndef REOPEN_WAKES_NOBODY
        wake()
#endif
      :: else
      fi;
      commit();
      goto idle
    :: !isCancelled[p] ->
      step[p] = queue;
      if
      :: ticket[p] == 0 -> lastTicket++; ticket[p] = lastTicket
      :: else
      fi;
      findFirst();
      if
      :: seen == 0 && first == p ->
        if
        :: holder != 0 -> FAIL(s1_exclusion)
        :: else
        fi;
        holder = p;
        step[p] = deploy;
        ticket[p] = 0;
        due[p] = false;
        commit();
        goto perform
      :: else ->
        owner[p] = 0;
        due[p] = false;
        commit();
        goto idle
      fi
    fi
  }

perform:
  /* The operation ends, or is cut short when the promotion is made due. */
  if
  :: skip
  :: atomic { (owner[p] != me || epoch[p] != mine) -> goto lost }
  fi;
  begin();
  atomic { environmentRow == 0 -> environmentRow = me };
  atomic {
    end();
    commit()
  }
  goto idle;

lost:
  goto idle;

stopped:
  skip
}

#define IS_WELL(w) (w <= WORKERS && !isGone[w % (WORKERS + 1)] && !isBuried[w % (WORKERS + 1)])
/* One of them must be left to do the work. */
#define OTHERS_ARE_WELL(w) ((w != 1 && IS_WELL(1)) || (w != 2 && IS_WELL(2)) || (w != 3 && IS_WELL(3)))

/* The process dies: the database rolls its transaction back. */
inline die(w) {
  d_step {
    isGone[w] = true;
    if
    :: environmentRow == w -> environmentRow = 0
    :: else
    fi;
    k = 1;
    do
    :: k > PROMOTIONS -> break
    :: else ->
      if
      :: row[k] == w -> row[k] = 0
      :: else
      fi;
      k++
    od;
    k = 0
  }
  check()
}

proctype Faults() {
  do
  :: atomic { crashesLeft > 0 && IS_WELL(1) && OTHERS_ARE_WELL(1) -> crashesLeft--; die(1) }
  :: atomic { crashesLeft > 0 && IS_WELL(2) && OTHERS_ARE_WELL(2) -> crashesLeft--; die(2) }
  :: break
  od
}

/*
 * The others declare a worker dead: in one transaction its promotions are due, and, since it may have owed a wake-up, who
 * waits in a queue. The transaction waits for their rows.
 */
inline bury(w) {
  d_step {
    isBuried[w] = true;
    k = 1;
    do
    :: k > PROMOTIONS -> break
    :: else ->
      if
#ifndef BURY_LEAVES_ASLEEP
      :: owner[k] == w && step[k] != over -> due[k] = true
#endif
      :: step[k] == queue && owner[k] == 0 -> due[k] = true
      :: else
      fi;
      if
      :: owedBy[k] == w -> owedBy[k] = 0
      :: else
      fi;
      k++
    od;
    k = 0
  }
  check()
}

#define NO_ROW_IS_HELD (row[1] == 0 && row[2 % (PROMOTIONS + 1)] == 0 && row[3 % (PROMOTIONS + 1)] == 0)

proctype Burial() {
  do
#ifndef NO_BURIAL
  :: atomic { isGone[1] && !isBuried[1] && NO_ROW_IS_HELD -> bury(1) }
  :: atomic { isGone[2] && !isBuried[2] && NO_ROW_IS_HELD -> bury(2) }
#endif
  /* Stood still for longer than its lease. */
  :: atomic { pausesLeft > 0 && IS_WELL(1) && OTHERS_ARE_WELL(1) && NO_ROW_IS_HELD -> pausesLeft--; bury(1) }
  :: endedCount == PROMOTIONS -> break
  od
}

proctype Person() {
  byte p = 0;

  if
  :: skip
  :: atomic { cancelsLeft > 0 ->
      if
      :: step[1] != over && row[1] == 0 -> p = 1
#if PROMOTIONS > 1
      :: step[2] != over && row[2] == 0 -> p = 2
#endif
#if PROMOTIONS > 2
      :: step[3] != over && row[3] == 0 -> p = 3
#endif
      :: else
      fi;
      if
      :: p != 0 ->
        cancelsLeft--;
        isCancelled[p] = true;
#ifndef CANCEL_NOT_DUE
        due[p] = true;
#endif
        check()
      :: else
      fi }
  fi
}

init {
  atomic {
    byte p = 1;
    do
    :: p > PROMOTIONS -> break
    :: else -> step[p] = gates; due[p] = true; p++
    od;
    run Worker(1);
    run Worker(2);
#if WORKERS > 2
    run Worker(3);
#endif
    run Faults();
    run Burial();
    run Person()
  }
}

ltl ends { <> (endedCount == PROMOTIONS) }
