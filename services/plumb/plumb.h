/* plumb.h: what plumb's commands share: their table's row, exit codes, and how something wrong is
 * said.
 *
 * A command is a function NAME_run(argc, argv) in plumb_NAME.c (a family shares one); argv[0] is
 * the command's name. It returns the process's exit code.
 */
#ifndef PLUMB_H
#define PLUMB_H
#include "check/fault.h"
#include "check/reason.h"
#include "model/contract.h"

enum plumb_exit { /* INTERFACES.md, Programs */
                  PLUMB_DONE = 0,
                  PLUMB_CHECK_SAYS_NO = 1,
                  PLUMB_USAGE = 2,
                  PLUMB_UNREACHABLE = 69,
                  PLUMB_OUR_FAULT = 70,
                  PLUMB_TRY_AGAIN = 75,
                  PLUMB_CONFIGURATION = 78
};
int plumb_exit_code(enum fault fault); /* FAULT_NONE: 0 */
/* One line to stderr: "plumb COMMAND: …". */
void plumb_say(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);
/* Says the reason and returns the exit code. What names its file and line stands alone:
 * "file:line:column: what". */
int plumb_fail(const char *command, enum fault fault, const struct reason *reason);
/* Reads and parses a contract file. Faults: CONTRACT_INVALID (also where the file cannot be read),
 * with a reason. */
MUST_USE enum fault plumb_contract_read(const char *file_name, struct contract **out_contract,
                                        struct reason *out_reason);

int plumb_analyze_run(int argc, char **argv);
int plumb_apply_run(int argc, char **argv);
int plumb_baseline_run(int argc, char **argv);
int plumb_contract_run(int argc, char **argv);
int plumb_dead_letters_run(int argc, char **argv);
int plumb_drained_run(int argc, char **argv);
int plumb_ledger_run(int argc, char **argv);
int plumb_models_run(int argc, char **argv);
int plumb_register_run(int argc, char **argv);
int plumb_results_run(int argc,
                      char **argv); /* alerts, measurements, triggers, decisions, signals, panes */
int plumb_schema_run(int argc, char **argv);
int plumb_send_run(int argc, char **argv);
int plumb_state_run(int argc, char **argv);
int plumb_summary_run(int argc, char **argv);
int plumb_topics_run(int argc, char **argv);
int plumb_validate_run(int argc, char **argv);
int plumb_version_run(int argc, char **argv);
#endif
