/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What an error of AWS's means for the one who asked. Pure. */
#ifndef SLUICE_AWS_ERROR_H
#define SLUICE_AWS_ERROR_H

#include "user/export/aws.h"

#define AWS_ERROR_LEN 64 /* as in struct aws_reply */

/* By the status and the error's name ("": none was told). 2xx is AWS_DONE. */
enum aws_outcome aws_outcome_of(long status, const char *error);

/* Not carried out, for sure: AWS says that it was not taken. For AWS_AGAIN and AWS_THROTTLED. */
bool aws_surely_undone(long status, const char *error);

/* New credentials may help. */
bool aws_error_of_credentials(const char *error);

/* So may another clock. */
bool aws_error_of_time(const char *error);

/* "com.amazonaws.logs#ThrottlingException", "ThrottlingException:http://..." -> "ThrottlingException"; made safe, "" stays "". */
void aws_error_name(const char *said, size_t n, char ret[static AWS_ERROR_LEN]);

/* The name and the message of an error's body: JSON, or STS's XML. Both are "" where there is none; made safe. `body` is not
 * ended by a NUL. */
void aws_error_read(const char *body, size_t n, char ret_error[static AWS_ERROR_LEN], char *ret_message, size_t room);

#endif
