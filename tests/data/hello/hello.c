#include <stdio.h>

int main(int count, char **words) {
  char line[99];
  if (count < 3 || !fgets(line, sizeof line, stdin)) return 1;
  printf("é %s|%s %s", words[1], words[2], line);
  fprintf(stderr, "err\n");
  return 3;
}
