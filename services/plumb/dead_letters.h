/* dead_letters.h: the verbs of `plumb dead-letters`: list (also without a verb), show, requeue,
 * reasons.
 *
 * Each takes its own arguments, argv[0] being the verb, and returns the process's exit code.
 */
#ifndef DEAD_LETTERS_H
#define DEAD_LETTERS_H

int dead_letters_list(int argc, char **argv);
int dead_letters_show(int argc, char **argv);
int dead_letters_requeue(int argc, char **argv);
int dead_letters_reasons(int argc, char **argv);
#endif
