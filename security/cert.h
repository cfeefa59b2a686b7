/*
 * Certificates: text files with a CURVE key, in the format that czmq and pyzmq
 * write (ZPL, RFC 4):
 *
 *     #  a comment
 *     metadata
 *         name = "Joe"
 *     curve
 *         public-key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
 */
#ifndef SF_SECURITY_CERT_H
#define SF_SECURITY_CERT_H

#include <stddef.h>
#include <stdint.h>

enum { SF_CERT_KEY = 32, SF_CERT_SIZE_MAX = 65536 };

struct sf_cert {
    uint8_t key[SF_CERT_KEY]; /* public */
    uint8_t *metadata;        /* owns; the section's properties, as ZAP has them; NULL if none */
    size_t metadata_size;
};

/*
 * Reads the text of a certificate. A secret key in it is passed over.
 *
 *   out  set on success and then the caller's to _fini
 *
 * 0, -EINVAL: no public key, more than one, one that is none, or bytes that no
 * text has; -ENOMEM.
 */
int sf_cert_parse(struct sf_cert *out, const char *text, size_t size);

void sf_cert_fini(struct sf_cert *c);

#endif
