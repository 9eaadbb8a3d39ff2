#include "validator.h"

int main(int argc, char *argv[])
{
    return service_main(&validator_service, argc, argv);
}
