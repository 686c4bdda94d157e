// Asks for a token where the server listens beyond this machine.
import { Button, PasswordInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { signIn } from '../api/client';
import { Logo } from '../parts/Logo';
import classes from './SignIn.module.css';

export function SignIn() {
  const client = useQueryClient();
  const [token, setToken] = useState('');
  const [refusal, setRefusal] = useState<string | null>(null);
  const [asking, setAsking] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setAsking(true);
    try {
      await signIn(token.trim());
      await client.resetQueries();
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : String(error));
    } finally {
      setAsking(false);
    }
  };

  return (
    <div className={classes.page}>
      <form className={classes.card} onSubmit={(event) => void submit(event)}>
        <Logo size={34} />
        <h1 className={classes.title}>Sign in to Weir</h1>
        <p className={classes.text}>
          This server can be reached from other machines, so it asks who you are. The token was
          printed when Weir first started with this data directory.
        </p>
        <PasswordInput
          label="Token"
          size="sm"
          value={token}
          error={refusal}
          autoFocus
          autoComplete="current-password"
          onChange={(event) => {
            setToken(event.currentTarget.value);
            setRefusal(null);
          }}
        />
        <Button type="submit" size="sm" fullWidth loading={asking} disabled={token.trim() === ''}>
          Sign in
        </Button>
      </form>
    </div>
  );
}
