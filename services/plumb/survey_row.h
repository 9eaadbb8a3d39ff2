/* survey_row.h: what plumb state show prints of one shard: an object, with texts for a table beside
 * the facts where it is one.
 *
 * Owner    the caller gets new references and heap texts.     Thread  one at a time.
 */
#ifndef SURVEY_ROW_H
#define SURVEY_ROW_H
#include "listing.h"
#include "survey.h"

/* lists: also each entry that Redis holds. */
json_t *survey_row(const struct survey *survey, const struct survey_shard *shard, bool is_table,
                   bool lists);
extern const struct listing_column survey_row_columns[];
/* "windower inference.validated:3"; the caller releases it. */
char *survey_row_name(const struct survey *survey, const struct survey_shard *shard);
/* The least stream time that was committed with the shard's inputs; 0: none. */
int64_t survey_row_time(const struct outlook_facts *facts);
#endif
