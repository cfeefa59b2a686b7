/* Which mechanism has which number. */
#include "security/security.h"

#include <sifr.h>

const struct sf_mechanism *sf_mechanism_find(int number)
{
    switch (number) {
    case SIFR_NULL: return &sf_mechanism_null;
    case SIFR_PLAIN: return &sf_mechanism_plain;
#ifdef SF_HAVE_SODIUM
    case SIFR_CURVE: return &sf_mechanism_curve;
#endif
#ifdef SF_HAVE_GSSAPI
    case SIFR_GSSAPI: return &sf_mechanism_gssapi;
#endif
    default: return NULL;
    }
}
